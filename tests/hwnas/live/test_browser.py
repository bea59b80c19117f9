"""The page in a real browser follows a search, and keeps what its reader has set."""

from __future__ import annotations

import hwnas
from hwnas.live import server as server_module
from tests.browsing import MARKS
from tools.browser import Seen

pytestmark = MARKS


def test_the_page_follows_a_search(chromium, tmp_path, monkeypatch):
    monkeypatch.setattr(server_module, "EVERY", 0.2)
    seen = Seen(chromium, (1280, 900))
    with hwnas.open_search("tiny", objectives=["top1", "params", "madds"], initial=10, iterations=1, per_iteration=2,
                           out=tmp_path / "run") as search:  # fmt: skip
        for network in search.ask(8):
            search.tell(network, top1=80.0 + network.to_json()["r"] / 10)
        with hwnas.watch(search.folder) as served:
            page = seen.open(served.address)
            assert "8 of 12 networks" in page.locator(".live").inner_text()
            number = page.locator(".limit[data-objective='1'] input[type=number]")
            limit = str(float(number.input_value()) / 2)
            number.fill(limit)
            page.keyboard.press("Tab")
            (failed,) = search.ask(1)
            search.tell(failed, error="out of memory")
            (network,) = search.ask(1)
            search.tell(network, top1=99.0)
            page.wait_for_selector("#failures")
            page.wait_for_selector("text=of 9 networks")
            assert "10 of 12 networks" in page.locator(".live").inner_text()
            assert "out of memory" in page.locator("#failures").inner_text()
            assert float(number.input_value()) == float(limit)
            assert page.locator("[data-figure=front] canvas").count() > 0
            assert seen.complaints == []
            assert all(url.startswith(served.address) for url in seen.outside)
        page.wait_for_selector("text=hwnas watch has ended")
    seen.close()
