"""The HTML: complete, escaped, valid for Plotly, and sensible for runs that lack something."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from hwnas.export.classes import count_classes
from hwnas.report import Engine, ObjectiveInfo, RunData, plots, summary, write_report
from hwnas.report.packed import unpacked
from hwnas.report.page import page
from hwnas.report.sections import ALL
from hwnas.space import Architecture
from profilers.errors import BadInput, FileProblem
from profilers.proportions import wilson
from tests.hwnas.report_run import OBJECTIVES, SPACE, full_run, sheet

EVIL = "</script><img src=x onerror=alert(1)><b>\"'&"
VOID = {"meta", "br", "line", "path", "circle", "input"}


class Outline(HTMLParser):
    """Elements, their attributes, their text, and whether they nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        if name not in VOID:
            self.open.append(name)

    def handle_startendtag(self, name, attributes):
        self.elements.append((name, dict(attributes)))

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.words.append(data)

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for found, attributes in self.elements if found == name]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def run() -> RunData:
    return full_run()


@pytest.fixture(scope="module")
def html(run) -> str:
    return page(run, "today")


@pytest.fixture(scope="module")
def outline(html) -> Outline:
    return Outline(html)


def store(html: str) -> dict:
    return json.loads(unpacked(re.search(r'<script type="text/plain" id="figures">(.*?)</script>', html, re.S)[1]))


def test_it_is_one_complete_file(html, outline):
    assert outline.open == []
    assert len(html.encode()) < 2_000_000
    assert {name for name, _ in outline.elements}.isdisjoint({"link", "img", "iframe", "object", "base"})
    assert not any("src" in a for a in outline.all("script"))
    links = {a["href"] for a in outline.all("a")}
    assert {link for link in links if not link.startswith("#")} == {e.link for e in full_run().chosen}
    assert {link[1:] for link in links if link.startswith("#")} <= {a["id"] for _, a in outline.elements if "id" in a}


def test_only_its_own_scripts_may_run(html, outline):
    (begin,) = re.findall(r"<script>(.*?)</script>", html, re.S)
    packed = re.findall(r"<script type=\"text/plain\" data-script>(.*?)</script>", html, re.S)
    assert len(packed) == 2 and not any("<" in text for text in packed)
    (policy,) = [a["content"] for a in outline.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'") and "connect-src" not in policy
    assert "unsafe-eval" not in policy and "script-src 'unsafe" not in policy
    for script in (begin, *map(unpacked, packed)):
        assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy
    assert policy.count("sha256-") == 3


def test_every_figure_has_its_box_and_its_words(html, outline):
    boxes = {a["data-figure"]: a for _, a in outline.elements if "data-figure" in a}
    assert set(boxes) == set(store(html)["runs"][0]["figures"])
    assert {"front", "latency-0", "progress", "correlations", "errors"} < set(boxes)
    assert sum(key.startswith("projection-") for key in boxes) == 4
    assert all(a["role"] == "img" and len(a["aria-label"]) > 10 for a in boxes.values())
    assert all(a.get("aria-label") or a.get("aria-hidden") for a in outline.all("svg"))


def test_tables_and_headings_are_readable_without_eyes(outline):
    assert len(outline.all("h1")) == 1 and len(outline.all("h2")) == 14
    assert all(a.get("scope") in ("col", "row") for a in outline.all("th"))
    assert len(outline.all("caption")) == len(outline.all("table")) == 5


def figures_of(run: RunData) -> dict[str, plots.Spec]:
    return {plot.key: plot.spec for section in ALL if (part := section(run)) for plot in part.plots}


def test_every_figure_shows_its_data(run):
    for name, spec in figures_of(run).items():
        assert spec["data"] and all(len(trace["x"]) for trace in spec["data"] if "meta" not in trace), name
        assert any(len(trace["x"]) for trace in spec["data"]), name
        assert "template" not in spec["layout"], name  # the page has its own looks


def test_theme_colours_exist(html):
    css = re.search(r"<style>(.*?)</style>", html, re.S)[1]
    light, dark = css.split("prefers-color-scheme: dark", 1)
    used = set(re.findall(r'"var\((--[\w-]+)\)"', json.dumps(store(html)["runs"][0]["figures"])))
    assert used and used <= set(re.findall(r"(--[\w-]+):", light))
    assert used - {"--band"} <= set(re.findall(r"(--[\w-]+):", dark))


def test_every_number_of_the_table_says_how(outline, run):
    badges = [a for a in outline.all("span") if str(a.get("class", "")).startswith("badge")]
    # what to ship, seven columns and four speeds of four engines, five objectives, eight explanations
    assert len(badges) == 5 + (7 + 4) * 4 + 5 + 8
    assert all(a["title"] for a in badges)
    kinds = {str(a["class"]).removeprefix("badge ") for a in badges}
    assert {"measured", "predicted", "estimated", "exact", "evaluated"} <= kinds


def test_it_says_what_was_done(run, outline):
    shown = outline.text
    assert "120 were evaluated" in shown and "1 more evaluation failed" in shown
    assert "beaten by no other in all 5 objectives" in shown
    assert "GPU latency is estimated, for GTX 1080 Ti (batch 64, fp32)" in shown
    assert "a CPU latency of at most 0.0750 ms" in shown
    kept = sum(e.sheet["latency"]["within_interval"] for e in run.chosen)
    assert f"the measured latency of {kept} of 4 lies in the predicted interval" in shown


def test_measured_figures_are_the_datasheets(run, outline):
    for engine in run.chosen:
        assert f"{engine.sheet['latency']['measured']['value']:.4f}" in outline.text
        assert f"{engine.sheet['accuracy']['top1']['value']:.1f}" in outline.text


def hostile(EVIL: str = EVIL) -> RunData:
    """A run whose every string is an attack."""
    run = full_run()
    row = run.done[0]
    evil = sheet(row, name=EVIL)
    evil["engine"] |= {"name": EVIL, "precision": EVIL, "profiler": EVIL}
    evil["fingerprint"] = {"device": EVIL}
    evil["latency"]["measured"]["how"] = evil["accuracy"]["top1"]["how"] = EVIL
    objectives = [*OBJECTIVES[:4], ObjectiveInfo(EVIL, EVIL, True, EVIL)]
    rows = [replace(r, objectives={**r.objectives, EVIL: 1.0}, status=EVIL, error=EVIL) for r in run.rows]
    steps = [replace(s, surrogate=EVIL) for s in run.iterations]
    return replace(
        run,
        name=EVIL,
        objectives=objectives,
        rows=rows,
        iterations=steps,
        config=EVIL,
        budgets={EVIL: 1.0},
        chosen=[Engine(evil, f"engines/{EVIL}"), Engine(evil, "javascript:alert(1)")],
        tables={k: replace(t, device=EVIL, method=EVIL) for k, t in run.tables.items()},
    )


def test_strings_cannot_become_markup():
    html = page(hostile(), EVIL)
    found = Outline(html)
    assert found.open == []
    assert len(found.all("script")) == 4 and found.all("img") == [] and found.all("b") == []
    assert all(not name.startswith("on") for _, a in found.elements for name in a)
    links = {a["href"].split("/")[0] for a in found.all("a") if not a["href"].startswith("#")}
    assert links == {"engines", "javascript%3Aalert%281%29"}
    assert EVIL in "".join(found.words)


def test_strings_cannot_command_a_terminal_that_shows_the_page():
    html = page(hostile("\x1b[31mred\x07 \u202ereversed"), "\x1b]0;title\x07")
    assert not any(mark in html for mark in ("\x1b", "\x07", "\u202e"))
    assert r"\x1b[31mred\x07 \u202ereversed" in Outline(html).text


def test_labels_cannot_become_plotlys_tags():
    content = json.dumps([figures_of(hostile()), store(page(hostile(), ""))["runs"][0]["texts"]])
    assert "onerror" in content
    assert "<img" not in content and "<a" not in content.lower()


@pytest.mark.parametrize(
    ("change", "present", "absent"),
    [
        ({"chosen": ()}, ["The best networks so far", "Layer by layer"], ["The chosen networks"]),
        ({"iterations": full_run().iterations[:1], "random": ()}, ["How the search went"], ["Kendall"]),
        ({"iterations": (), "random": ()}, ["Trade-offs between the objectives"], ["How the search went"]),
        ({"tables": {}, "chosen": ()}, ["How every number was obtained"], ["Predicted and measured latency"]),
        (
            {"rows": (), "chosen": (), "iterations": ()},
            ["Nothing has been evaluated yet."],
            ["Trade-offs between the objectives"],
        ),
        ({"rows": full_run().rows[-1:], "chosen": ()}, ["None of them gave a result."], ["The best networks so far"]),
        ({"rows": full_run().rows[:1], "chosen": ()}, ["1 was evaluated"], ["What the best networks have in common"]),
        ({"objectives": OBJECTIVES[:1]}, ["The chosen networks"], ["Trade-offs between the objectives"]),
        ({"objectives": (OBJECTIVES[0], OBJECTIVES[3])}, ["Trade-offs between the objectives"], ["3-D"]),
        ({"objectives": (OBJECTIVES[0], OBJECTIVES[1], OBJECTIVES[2])}, ["3-D"], ["Colour"]),
    ],
)
def test_runs_that_lack_something(run, change, present, absent):
    found = Outline(page(replace(run, **change), "today"))
    assert found.open == []
    for words in present:
        assert words in found.text
    for words in absent:
        assert words not in found.text


def test_an_engine_that_the_search_has_not_seen_is_listed(run):
    stranger = replace(run, rows=run.rows[1:50], chosen=[Engine(sheet(run.done[0]), "engines/other")])
    found = Outline(page(stranger, "today"))
    assert run.done[0].arch.id in found.text and stranger.marked == {}


def test_an_engine_exported_without_the_run_takes_its_objectives_from_the_search(run):
    bare = sheet(run.done[0])
    bare["objectives"] = {}
    bare["latency"]["within_interval"] = False
    found = Outline(page(replace(run, chosen=[Engine(bare)]), "today"))
    assert f"{run.values[0, 1] / 1000:.1f}" in found.text
    assert "✗ outside the predicted range" in found.text
    assert sum("not-measured" in str(a.get("class")) for a in found.all("span")) == 3  # speeds, and no objective


def test_an_engine_of_no_table_shows_its_own_prediction(run):
    bare = sheet(run.done[0])
    bare["latency"]["predicted"] = {"value": None, "unit": "ms", "how": "not measured: no table of openvino"}
    bare["latency"]["within_interval"] = None
    bare["accuracy"]["top1"] = {"value": None, "unit": "%", "how": "not measured: random weights"}
    found = Outline(page(replace(run, chosen=[Engine(bare)]), "today"))
    assert "Engine, predicted (ms)" in found.text and "not measured" in found.text
    assert "1 engine was built and measured." in found.text


def test_sizes_of_spaces():
    from hwnas.space import get_space

    assert summary.size(SPACE) == "2.7 billion"
    assert summary.size(get_space("mbv3")) == "about 10²⁰"


def test_writing_is_atomic_and_reports_its_size(run, tmp_path):
    size = write_report(run, tmp_path / "new" / "report.html")
    assert (tmp_path / "new" / "report.html").stat().st_size == size
    (tmp_path / "file").write_text("")
    with pytest.raises(FileProblem):
        write_report(run, tmp_path / "file" / "report.html")


def test_an_architecture_of_another_space_is_refused(run):
    wrong = replace(run.done[0], arch=Architecture((1,), (3,), (3,), 12))
    with pytest.raises(BadInput, match="stages"):
        page(replace(run, rows=[wrong], chosen=()), "today")


def test_accuracy_by_class_is_shown_worst_first_and_escaped(run):
    judged = copy.deepcopy(dict(run.chosen[0].sheet))
    judged["accuracy"]["classes"] = count_classes(
        np.array([0, 1, 1, 1, 0, 2]), np.array([0, 0, 0, 1, 1, 2]), 3
    ).to_json()
    judged["preprocessing"]["labels"] = ["<b>&", "cross", "moon"]
    found = Outline(page(replace(run, chosen=[Engine(judged)]), "today"))
    text = found.text
    assert "Accuracy by class" in text and "2 of 3 '<b>&' taken for 'cross'" in text
    low, high = wilson(100 / 3, 3)
    assert f"<b>& 33.3 {low:.1f} to {high:.1f} 3 cross 2" in text and not found.all("b")
    assert text.index("33.3") < text.index("100.0")
    assert "Accuracy by class" not in Outline(page(run, "today")).text
