"""What must be known of once-for-all's predicted accuracies stands wherever they do, and never beside ImageNet's."""

import json

import pytest

from hwnas.compare.measure import OURS, Comparison, Row, of_search
from hwnas.compare.render import lines, notes
from hwnas.export.run_source import RunSource, _objectives
from hwnas.report import load_run
from hwnas.report.summary import tiles
from hwnas.search.run import open_run
from profilers.timing.measurement import Measurement
from tests.hwnas.cli.test_search import hwnas  # noqa: F401  a fixture
from tests.hwnas.report_run import fingerprint

REMARK = "about 5 points above the published ImageNet top-1"
CONFIG = """
space = "mbv3"
resolutions = [160]
accuracy = "ofa-predictor:acc.pth"
objectives = ["top1", "params"]
[search]
initial = 6
iterations = 0
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A configuration, and a predictor of once-for-all's shape whose weights mean nothing."""
    import torch

    from hwnas.ofa.predictor import _SHAPES

    folder, generator = tmp_path_factory.mktemp("ofa"), torch.Generator().manual_seed(0)
    state = {}
    for key, shape in _SHAPES.items():
        state |= {f"{key}.weight": 0.001 * torch.rand(shape, generator=generator), f"{key}.bias": torch.zeros(shape[0])}
    state["6.bias"] += 0.7
    torch.save(state, folder / "acc.pth")
    (folder / "c.toml").write_text(CONFIG)
    return folder


@pytest.mark.slow
def test_at_the_searchs_end_in_select_and_in_the_archive(hwnas, place):  # noqa: F811
    code, out, err = hwnas("search", place / "c.toml", "--out", place / "r")
    assert code == 0 and REMARK in " ".join(err.split()) and REMARK in json.loads(out)["top1"]
    code, out, err = hwnas("select", place / "r")
    assert (
        code == 0 and REMARK in " ".join(err.split()) and REMARK in json.loads(out.splitlines()[0])["obtained"]["top1"]
    )
    with open_run(place / "r") as run:
        assert REMARK in run.archive.meta["obtained"]["top1"]


@pytest.mark.slow
def test_in_the_report_the_export_and_the_comparison(place):
    report = load_run(place / "r")
    assert REMARK in report.objectives[0].how
    assert REMARK in next(t.note for t in tiles(report) if "Best" in t.name)
    with RunSource(place / "r") as source:
        assert any(REMARK in note for note in source.notes)
        row = next(iter(source.rows.values()))
        figure = _objectives(source.run, row, source.tables)["top1"]
        assert figure.how.startswith("predicted") and REMARK in figure.how and figure.low is None
        ours, _ = of_search(source.run.space, row, None, 1, source.run.problem.objectives["top1"])
    assert ours.top1 is None and ours.predicted_top1 == row.objectives["top1"]
    assert lines(compared(ours))[0][-1] == "-"


def compared(*rows):
    return Comparison(rows, fingerprint(), "wall", None, 0)


def test_a_comparison_says_why_and_marks_what_cannot_be_told_apart():
    known = Row("k", "torchvision", 224, 1, 1, measured=Measurement("k", 1.0, 1.0, 1.0), imagenet_top1=76.6)
    predicted = Row("p", OURS, 160, 1, 1, predicted_top1=82.3, remark=f"reads {REMARK}")
    assert any(REMARK in line and "not comparable" in line for line in notes(compared(known, predicted)))
    rows = [Row(n, OURS, 12, 1, 1, top1=t, top1_low=t - 9, top1_high=t + 5, images=48)
            for n, t in (("a", 91.67), ("b", 85.42), ("c", 50.0))]  # fmt: skip
    cells = [row[-1] for row in lines(compared(*rows))]
    assert cells == ["91.67 (82.7 to 96.7) ~", "85.42 (76.4 to 90.4) ~", "50.00 (41.0 to 55.0)"]
