"""Hashes of the authors' public files, by their path in the cache; what is fetched and has another content is refused.

Where such a file is used it may have come another way, or be one of the user's own: it is named then (`doubt`).

`sha256:` of the content, or `git:` of the blob in the authors' repository (SHA-1 over a header and the content) where
only that was at hand. Taken on 2026-11-28 from github.com/han-cai/files at a7c9bcd5, mikelzc1990/nsganetv2 at 04c495a6
and HayeonLee/HELP at 45f70eb9.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from profilers.errors import listed

HASHES = {
    "ofa/ofa_nets/ofa_mbv3_d234_e346_k357_w1.0": "git:55d835981d8acd1053657a951b18887a724ddcbf",
    "ofa/ofa_nets/ofa_mbv3_d234_e346_k357_w1.2": "git:d75a3613bae216091f61fc4b7df77d49cc82ed32",
    "ofa/ofa_nets/ofa_proxyless_d234_e346_k357_w1.3": "git:c97035a7a6fe611508f3bb35ffac0ef77262f5e0",
    "ofa/acc_predictor.pth": "sha256:48685122a3540636b06699af66cd816456b25f29b69563e2fda9bed4018eeba0",
    "proxylessnas/mobile_trim.yaml": "sha256:087e855ea77f9b257e72f3637333a3e0938f6df77f579520f16d057ac45380aa",
    "ofa/note10/160_lookup_table.yaml": "sha256:a2671a45e9400542679ed03de946b45d6a35010f9ab21834af3e7ba8341d36d1",
    "ofa/note10/176_lookup_table.yaml": "sha256:34223ae037d5719a5f33261bdfd9341f590a2999edf520f174309605dc06307c",
    "ofa/note10/192_lookup_table.yaml": "sha256:0ff5ca0649e56ad34a42d6a8a6f20adb5121c8d12d135299397b310472db79e2",
    "ofa/note10/208_lookup_table.yaml": "sha256:41aa63af766a8298354e6aa5ae69d512ac68656a6e7d0a4fa5dc725c8d438633",
    "ofa/note10/224_lookup_table.yaml": "sha256:c13a9bcb3f4becae844bce4897129c4e42975984c1029cbd5acb48c970136530",
    "nsganetv2/i7-8700K_lut.yaml": "sha256:4cd187ee5466802099f502a4d496cbee270a0b21862351722a527dc3a43f85e6",
    "help/ofa_archs.pt": "sha256:77787b5c3e208b130282d4e239c1bb56e76fbb8f7d7f374c4fcc63df4970d574",
    "help/2080ti_1.pt": "sha256:fd02a4aa46d7ab468d9214ae20b73cbb58fd8d7a857df98861d83383744f9ca9",
    "help/2080ti_32.pt": "sha256:0a40f72137451914e4296d8911c92429af357556c7caa5aa74803e17b2948eb6",
    "help/2080ti_64.pt": "sha256:6b5b8ae9a25aa5c7df2a96c0e5d6baa91a0566fa935e8fcd709809fbfdee1bd8",
    "help/titan_rtx_1.pt": "sha256:b308b08490eaf5af871bc0c5712a105e23c952ff55c5277abbc90e0ff7acf65a",
    "help/titan_rtx_32.pt": "sha256:418618fe00b90d3495b2b4147689debb302dddcd038126c376b2bc4aef2867cf",
    "help/titan_rtx_64.pt": "sha256:33bb74ee6430fb136ca00c41821842cf511eee5f28080b7745e6216e91d87b42",
    "help/titan_xp_1.pt": "sha256:ab157a674a7ba7ad536a0afba7a791ab49fa5f3dbafa5f9628170b48030c2733",
    "help/titan_xp_32.pt": "sha256:8e362f53dd522e6c26c54c7b4806301d3465947edf0935c9c1479aefee0271b6",
    "help/titan_xp_64.pt": "sha256:9b377dc3de2c4ff12c735331762d7f957aa789a41583693082f33abfc4d6e018",
    "help/v100_1.pt": "sha256:277d012e6c82cf20abee447edadd22da992a921de5e74376970a369466a48907",
    "help/v100_32.pt": "sha256:41643776a003adeb16ec57314b1bd1d5145a12c3616c686161debdb7e45ea9e8",
    "help/v100_64.pt": "sha256:577f48672ed029b11cbb66126ca92d4542f18472e2157965a4ec6852a327dfa2",
}


_KNOWN = frozenset(HASHES.values())


def is_published(data: bytes) -> bool:
    """Whether it is, byte by byte, the content of one of these files."""
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False)
    return f"git:{blob.hexdigest()}" in _KNOWN or is_hash_published(hashlib.sha256(data).hexdigest())


def is_hash_published(sha256: str) -> bool:
    """The same of a digest that was noted."""
    return f"sha256:{sha256}" in _KNOWN


def doubt(names: Iterable[str]) -> str:
    """What is said of files that are not published ones, "" where there are none.

    >>> doubt(["acc_predictor.pth"])
    'acc_predictor.pth: not the published file, by its hash; its numbers are taken as they are'
    """
    named = listed(names)
    return f"{named}: not the published file, by its hash; its numbers are taken as they are" if named else ""
