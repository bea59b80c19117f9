"""The authors' public files: what each is called here, and where it lies.

Sources of the addresses, all in the authors' own code: OFA's `ofa/model_zoo.py` (supernets), its
`ofa/tutorial/accuracy_predictor.py` and `latency_table.py` (predictor, tables of the Samsung Note10); ProxylessNAS's
`search/utils/latency_estimator.py`; NSGANetV2's README; HELP's `loader.py`, which reads `ofa_archs.pt` and
`latency/DEVICE_BATCH.pt`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from profilers.errors import BadInput, nearest
from profilers.published import HASHES

_HAN_CAI = "https://raw.githubusercontent.com/han-cai/files/master"
_NSGANETV2 = "https://raw.githubusercontent.com/mikelzc1990/nsganetv2/master/data"
_HELP = "https://raw.githubusercontent.com/HayeonLee/HELP/main/data/ofa"

_SUPERNETS = {
    "ofa_mbv3_d234_e346_k357_w1.0": "OFA's supernet of space mbv3",
    "ofa_mbv3_d234_e346_k357_w1.2": "OFA's supernet of space mbv3-w1.2",
    "ofa_proxyless_d234_e346_k357_w1.3": "OFA's supernet of space proxyless",
}
_HELP_DEVICES = ("2080ti", "titan_rtx", "titan_xp", "v100")


@dataclass(frozen=True)
class PublicFile:
    """A file: its name, its path below the cache (with "/"), its address, what it is, and the group it belongs to.

    `pinned` is the hash that its content must have (as in `profilers.published`), "" where it is not known.
    """

    name: str
    path: str
    url: str
    what: str
    group: str = ""
    pinned: str = ""


def _catalogue() -> dict[str, PublicFile]:
    files = [PublicFile(n, f"ofa/ofa_nets/{n}", f"{_HAN_CAI}/ofa/ofa_nets/{n}", what) for n, what in _SUPERNETS.items()]
    files += [
        PublicFile(
            "acc_predictor.pth",
            "ofa/acc_predictor.pth",
            f"{_HAN_CAI}/ofa/acc_predictor.pth",
            "OFA's accuracy predictor of space mbv3",
        ),
        PublicFile(
            "mobile_trim.yaml",
            "proxylessnas/mobile_trim.yaml",
            f"{_HAN_CAI}/proxylessnas/mobile_trim.yaml",
            "ProxylessNAS's latency table of a phone",
        ),
        PublicFile(
            "i7-8700K_lut.yaml",
            "nsganetv2/i7-8700K_lut.yaml",
            f"{_NSGANETV2}/i7-8700K_lut.yaml",
            "NSGANetV2's latency table of an Intel i7-8700K",
        ),
    ]
    for r in (160, 176, 192, 208, 224):
        name = f"note10/{r}_lookup_table.yaml"
        files.append(PublicFile(name, f"ofa/{name}", f"{_HAN_CAI}/ofa/{name}", f"OFA's table, {r} px", "note10"))
    what = "the networks that HELP measured"
    files.append(PublicFile("help/ofa_archs.pt", "help/ofa_archs.pt", f"{_HELP}/ofa_archs.pt", what, "help"))
    for run in (f"{device}_{batch}" for device in _HELP_DEVICES for batch in (1, 32, 64)):
        name, what = f"help/{run}.pt", f"HELP's latencies, {run.rpartition('_')[0]}, batch {run.rpartition('_')[2]}"
        files.append(PublicFile(name, name, f"{_HELP}/latency/{run}.pt", what, "help"))
    return {file.name: replace(file, pinned=HASHES.get(file.path, "")) for file in files}


FILES = _catalogue()
GROUPS = sorted({file.group for file in FILES.values() if file.group})


def find(names: Sequence[str]) -> list[PublicFile]:
    """The files of names and groups, each once; BadInput for an unknown one."""
    found: dict[str, PublicFile] = {}
    for name in names:
        chosen = {k: f for k, f in FILES.items() if name in (k, f.group)}
        if not chosen:
            single = [k for k, f in FILES.items() if not f.group]
            near = nearest(name, [*FILES, *GROUPS])
            raise BadInput(f"no public file {name!r}", ", ".join([*single, *GROUPS]), near or "hwnas fetch --list")
        found |= chosen
    return list(found.values())
