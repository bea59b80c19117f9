"""The report in a real browser: nothing is logged, nothing is asked for, everything is drawn."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest

from hwnas.report import write_report
from tests.hwnas.report.test_page import hostile
from tests.hwnas.report_run import full_run
from tools import browser

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(browser.find() is None, reason=f"none of {', '.join(browser.NAMES)} is installed"),
]


@pytest.fixture(scope="module")
def page():
    with browser.browse(240) as page:
        yield page


@pytest.fixture(scope="module")
def full(page, tmp_path_factory):
    """The page with everything that a report can show, as it is first seen."""
    return opened(page, full_run(), tmp_path_factory.mktemp("report") / "report.html")


def opened(page, run, path):
    write_report(run, path)
    page.events.clear()
    page.open(path, (1280, 1000))
    assert page.complaints() == []
    assert page.requests() == [path.resolve().as_uri()]
    boxes = page.value("document.querySelectorAll('[data-figure]').length")
    assert page.value("document.documentElement.dataset.drawn") == str(boxes)
    assert page.value("[...document.querySelectorAll('[data-figure]')].every(b => b.querySelector('.main-svg'))")
    return page


def pixels(png: bytes) -> np.ndarray:
    image = pytest.importorskip("PIL.Image")
    return np.asarray(image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def saturated(png: bytes) -> int:
    """Pixels that are neither grey nor nearly so."""
    image = pixels(png)
    return int((image.max(axis=2) - image.min(axis=2) > 90).sum())


def test_everything_is_drawn_and_nothing_is_loaded(full):
    assert full.value("document.querySelectorAll('[data-figure]').length") == 9
    assert full.value("document.querySelectorAll('svg.network').length") == 4
    points = full.value("document.querySelectorAll('[data-figure=projection-3] .points path').length")
    assert points >= 120
    assert full.value("document.querySelector('[data-figure=front] .gl-container canvas').width") > 300
    assert saturated(full.picture("[data-figure=front]")) > 500  # WebGL has painted its coloured points


def test_hovering_shows_the_network(full):
    run = full_run()
    first = full.value("document.querySelector('[data-figure=projection-1]').data[1].hovertext[0]")
    shown = run.done[int(np.flatnonzero(run.front)[0])]
    assert shown.arch.id in first and "CPU latency" in first


def test_a_change_of_theme_recolours_the_figures(full):
    title = "getComputedStyle(document.querySelector('[data-figure=progress] .xtitle')).fill"
    light = full.value(title)
    assert pixels(full.picture())[0, 0].min() > 200
    full.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    assert full.until(f"{title} !== {light!r}")
    assert pixels(full.picture())[0, 0].max() < 60


def test_the_page_is_never_wider_than_its_window(full):
    for width in (1280, 768, 390):
        full.resize((width, 1000))
        assert full.until(f"document.documentElement.scrollWidth <= {width}"), width


def test_attacks_do_nothing(page, tmp_path):
    opened(page, hostile(), tmp_path / "report.html")
    assert page.value("document.querySelectorAll('img, b').length") == 0


def test_the_smallest_runs(page, tmp_path):
    run = full_run()
    for change in ({"rows": ()}, {"rows": run.rows[:1]}):
        opened(page, replace(run, chosen=(), iterations=(), random=(), **change), tmp_path / "report.html")


def test_a_page_that_complains_is_noticed(page, tmp_path):
    path = tmp_path / "bad.html"
    path.write_text(
        "<html data-drawn=0><script>console.error('bad'); nothing()</script><img src='http://a.test/x.png'>"
    )
    page.events.clear()
    page.open(path, (800, 600))
    assert "bad" in page.complaints() and any("nothing is not defined" in c for c in page.complaints())
    assert "http://a.test/x.png" in page.requests()
