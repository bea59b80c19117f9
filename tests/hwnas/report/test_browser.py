"""The report in a real browser: nothing is logged, nothing is asked for, everything is drawn and follows the reader."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from hwnas.report import write_report
from tests.browsing import MARKS
from tests.hwnas.report.test_page import hostile
from tests.hwnas.report_run import full_run
from tools.browser import Seen

pytestmark = MARKS


@pytest.fixture(scope="module")
def seen(chromium):
    found = Seen(chromium, (1280, 1000))
    yield found
    found.close()


@pytest.fixture(scope="module")
def opened_once(chromium, tmp_path_factory):
    """The page with everything that a report can show."""
    found = Seen(chromium, (1280, 1000))
    yield opened(found, full_run(), tmp_path_factory.mktemp("report") / "report.html")
    found.close()


@pytest.fixture
def full(opened_once):
    """The same, as it is first seen."""
    opened_once.locator(".reset").click()
    opened_once.locator(".unbrush").click()
    settle(opened_once)
    return opened_once


# Plotly draws again for another width when it comes to it, which on a busy machine is later than the layout
DRAWN_TO_WIDTH = """() => [...document.querySelectorAll("[data-figure] .main-svg")].every(
    (svg) => svg.getBoundingClientRect().width <= svg.closest("[data-figure]").clientWidth + 1)"""


def checked(seen, path):
    page = seen.open(path)
    assert seen.complaints == []
    assert seen.outside == [path.resolve().as_uri()]
    boxes = page.evaluate("[...document.querySelectorAll('[data-figure]')].map(b => !!b.querySelector('.main-svg'))")
    assert all(boxes) and page.get_attribute("html", "data-drawn") == str(len(boxes))
    return page


def opened(seen, run, place):
    write_report(run, place)
    return checked(seen, place)


def pixels(png: bytes) -> np.ndarray:
    image = pytest.importorskip("PIL.Image")
    return np.asarray(image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def saturated(png: bytes) -> int:
    """Pixels that are neither grey nor nearly so."""
    image = pixels(png)
    return int((image.max(axis=2) - image.min(axis=2) > 90).sum())


def points(page, figure: str, role: str) -> list[int]:
    """Networks that a trace of a figure shows."""
    traces = page.evaluate(f"document.querySelector('[data-figure={figure}]').data.map(t => [t.meta, t.customdata])")
    return dict(traces)[role]


def limit(page, objective: int, value: float) -> None:
    """Move a slider, and wait for the page to follow."""
    page.locator(f".limit[data-objective='{objective}'] input[type=range]").fill(f"{value:.6g}")
    settle(page)


def settle(page) -> None:
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 60))))")


def test_everything_is_drawn_and_nothing_is_loaded(full):
    assert full.locator("[data-figure]").count() == 9
    assert full.locator("#drawings svg.network").count() == 4
    assert full.locator("[data-figure=projection-3] .points path").count() >= 120
    assert full.evaluate("document.querySelector('[data-figure=front] .gl-container canvas').width") > 300
    assert saturated(full.locator("[data-figure=front]").screenshot()) > 500  # WebGL has painted its coloured points


def test_what_is_shown_first_is_what_the_search_has_found(full):
    run = full_run()
    assert points(full, "front", "front") == np.flatnonzero(run.front).tolist()
    pair = np.flatnonzero(run.front_of([run.quality, 3]))
    assert sorted(points(full, "projection-3", "pair")) == pair.tolist()
    inside = np.where(run.within_budgets, run.values[:, 0], 0.0)
    assert run.archs[int(inside.argmax())].id in full.locator(".fit h3").inner_text()


def test_hovering_shows_the_network(full):
    run = full_run()
    texts = full.evaluate("document.querySelector('[data-figure=projection-1]').data.map(t => [t.meta, t.hovertext])")
    shown = run.done[int(np.flatnonzero(run.front)[0])]
    assert shown.arch.id in dict(texts)["front"][0] and "CPU latency" in dict(texts)["front"][0]


def test_a_slider_finds_the_best_network_within(full):
    run = full_run()
    cost = 1.03 * run.values[:, 3]
    for value in (float(np.quantile(cost, 0.3)), float(np.quantile(cost, 0.1))):
        limit(full, 3, value)
        stands = float(full.locator(".limit[data-objective='3'] input[type=number]").input_value())
        inside = cost <= stands * (1 + 1e-5)
        best = int(np.where(inside, run.values[:, 0], 0.0).argmax())
        assert run.archs[best].id in full.locator(".fit h3").inner_text()
        assert f"{inside.sum()} of 120 networks" in full.locator(".fit").inner_text()
        assert points(full, "projection-3", "best") == [best]
        assert set(points(full, "front", "front")) <= set(np.flatnonzero(inside).tolist())
        assert sorted(points(full, "projection-3", "outside")) == np.flatnonzero(~inside).tolist()
        rows = full.locator("#chosen tr[data-network]").all()
        for row in rows:
            outside = "outside" in (row.get_attribute("class") or "")
            assert outside == (not inside[int(row.get_attribute("data-network"))])
    full.locator(".limit[data-objective='3'] input[type=number]").fill("0.0001")
    full.keyboard.press("Enter")
    settle(full)
    assert "No evaluated network is certain" in full.locator(".fit").inner_text()
    full.locator(".reset").click()
    settle(full)
    assert f"{full_run().within_budgets.sum()} of 120" in full.locator(".fit").inner_text()


def test_a_click_on_a_point_shows_its_layers(full):
    run = full_run()
    box = full.locator("[data-figure=projection-3]")
    box.scroll_into_view_if_needed()
    best = points(full, "projection-3", "best")[0]
    place = full.evaluate(
        """([x, y]) => { const box = document.querySelector('[data-figure=projection-3]'), f = box._fullLayout;
        const r = box.getBoundingClientRect();
        return [r.x + f.xaxis._offset + f.xaxis.l2p(x), r.y + f.yaxis._offset + f.yaxis.l2p(y)]; }""",
        [float(run.values[best, 3]), float(run.values[best, 0])],
    )
    full.mouse.move(*place)
    full.mouse.click(*place)
    settle(full)
    card = full.locator(".picked")
    assert run.archs[best].id in card.locator("h3").inner_text()
    shares = [float(text.removesuffix(" %")) for text in card.locator("td:nth-child(2)").all_inner_texts()]
    assert len(shares) == len(run.space.layers(run.archs[best])) and sum(shares) == pytest.approx(100, abs=1)


def test_a_network_is_chosen_by_keyboard_with_its_engine(full):
    run = full_run()
    chosen = next(iter(run.marked))
    full.locator(".pick").select_option(str(chosen))
    settle(full)
    shown = full.locator(".picked").inner_text()
    assert run.archs[chosen].id in shown and "onnxruntime, fp32" in shown and "datasheet" in shown


def test_a_brush_keeps_only_what_it_covers(full):
    run = full_run()
    axis = full.locator(".axis").nth(3)
    axis.scroll_into_view_if_needed()
    box = axis.locator("line").bounding_box()
    x = box["x"]
    full.mouse.move(x, box["y"] + 2)
    full.mouse.down()
    full.mouse.move(x, box["y"] + box["height"] * 0.25, steps=4)
    full.mouse.up()
    settle(full)
    low, high = (float(v) for v in axis.get_attribute("aria-valuetext").split(" ms")[0].split(" to "))
    outside = points(full, "projection-3", "outside")
    span = run.values[:, 3].max() - run.values[:, 3].min()
    inside = [i for i in range(120) if i not in outside]
    assert inside and outside and all(low - 0.01 * span <= run.values[i, 3] <= high + 0.01 * span for i in inside)
    axis.focus()
    full.keyboard.press("Escape")
    full.keyboard.press("ArrowUp")
    settle(full)
    assert axis.get_attribute("aria-valuenow") == "96"
    full.locator(".unbrush").click()
    settle(full)
    assert axis.get_attribute("aria-valuetext") == "everything"


def test_axes_are_chosen_and_show_the_front_or_everything(full):
    ends = "document.querySelector('[data-figure=projection-3]')._fullLayout.xaxis.range"
    near = full.evaluate(ends)
    full.locator(".whole").check()
    settle(full)
    whole = full.evaluate(ends)
    assert whole[1] - whole[0] > 1.05 * (near[1] - near[0])
    full.locator("select[data-axis=panel]").select_option("1")
    settle(full)
    title = full.evaluate("document.querySelector('[data-figure=projection-3]').layout.yaxis.title.text")
    assert title == "Parameters (k)"
    full.locator(".whole").uncheck()
    full.locator("select[data-axis=panel]").select_option("0")


def test_the_chosen_networks_are_saved_as_csv(full):
    with full.expect_download() as waiting:
        full.locator("#chosen .save").click()
    rows = list(csv.DictReader(io.StringIO(waiting.value.path().read_text())))
    measured = {str(e.sheet["latency"]["measured"]["value"]) for e in full_run().chosen}
    assert {row["latency_measured"] for row in rows} == measured and len(rows) == 4


def test_a_change_of_theme_recolours_the_figures(full):
    title = "getComputedStyle(document.querySelector('[data-figure=progress] .xtitle')).fill"
    light = full.evaluate(title)
    assert pixels(full.screenshot())[0, 0].min() > 200
    full.emulate_media(color_scheme="dark")
    full.locator("[data-figure=progress]").scroll_into_view_if_needed()
    for _ in range(50):
        settle(full)
        if full.evaluate(title) != light:
            break
    assert full.evaluate(title) != light
    assert pixels(full.screenshot())[0, 0].max() < 60
    full.emulate_media(color_scheme="light")


def test_the_page_is_never_wider_than_its_window(full):
    for width in (1280, 768, 390):
        full.set_viewport_size({"width": width, "height": 1000})
        settle(full)
        assert full.evaluate("document.documentElement.scrollWidth") <= width, width
        full.wait_for_function(DRAWN_TO_WIDTH)
    cells = full.evaluate("[...document.querySelectorAll('#chosen td')].map(c => c.getBoundingClientRect().right)")
    assert cells and max(cells) <= 390
    full.set_viewport_size({"width": 1280, "height": 1000})


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing(full, dark):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    full.emulate_media(color_scheme="dark" if dark else "light")
    settle(full)
    found = axe.run(full).response["violations"]
    full.emulate_media(color_scheme="light")
    assert [(v["id"], [n["target"] for n in v["nodes"]][:3]) for v in found] == []


def test_several_runs_are_on_one_page(seen, tmp_path):
    run = full_run()
    other = replace(run, name="again", rows=run.rows[:60], chosen=())
    page = opened_runs(seen, [run, other], tmp_path / "report.html")
    assert page.locator("article:visible").count() == 1 and "again" in page.locator("#runs").inner_text()
    page.locator(".runs a").nth(1).click()
    page.wait_for_selector("#run-2:not([hidden]) .main-svg", state="attached")
    assert page.locator("article:visible").get_attribute("id") == "run-2"
    assert "of 60 networks" in page.locator("#run-2 .fit").inner_text()


def opened_runs(seen, runs, place):
    write_report(runs, place)
    page = seen.open(place)
    assert seen.complaints == [] and seen.outside == [place.resolve().as_uri()]
    return page


def test_attacks_do_nothing(seen, tmp_path):
    page = opened(seen, hostile(), tmp_path / "report.html")
    assert page.locator("img, b").count() == 0


def test_what_got_into_the_page_would_not_run_either(seen, tmp_path):
    """The policy is the second wall: a script, a handler and an address in the page's own text."""
    path = tmp_path / "report.html"
    write_report(hostile(), path)
    foreign = (
        "<script>window.hit = 1</script><img src='data:,' onerror='window.hit = 2'><img src='http://a.test/x.png'>"
    )
    text = path.read_text()
    path.write_text(text.replace("</body>", f"{foreign}</body>"))
    assert path.stat().st_size > len(text)
    page = seen.open(path)
    refused = [line for line in seen.complaints if "Content Security Policy" in line]
    assert page.evaluate("window.hit") is None and len(refused) >= 3


def test_the_smallest_runs(seen, tmp_path):
    run = full_run()
    for change in ({"rows": ()}, {"rows": run.rows[:1]}):
        opened(seen, replace(run, chosen=(), iterations=(), random=(), **change), tmp_path / "report.html")


def test_a_page_that_complains_is_noticed(seen, tmp_path):
    path = tmp_path / "bad.html"
    path.write_text(
        "<html data-drawn=0><script>console.error('bad'); nothing()</script><img src='http://a.test/x.png'>"
    )
    seen.open(path)
    assert "bad" in seen.complaints and any("nothing is not defined" in text for text in seen.complaints)
    assert "http://a.test/x.png" in seen.outside
