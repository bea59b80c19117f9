"""Everything that could fail later is said at once, before anything is written; and what the last lines say."""

from __future__ import annotations

import pytest

import hwnas
from hwnas.accuracy.protocol import Pace
from hwnas.recipe import checks, shipping
from hwnas.recipe.expected import expected
from hwnas.recipe.settings import RecipeSettings, load
from hwnas.recipe.stages.search import SearchStage
from hwnas.recipe.work import Work
from hwnas.settings import build
from profilers.errors import BadInput, HwnasError

WRONG = """
images = "digits"
space = "tiny"
resolutions = [12, 400]
[tables]
gpu_ms = "none.json"
[budget]
npu_ms = 1
[device]
precision = "int4"
[search.evaluate]
viws = 2
[supernet]
init = "none.pth"
[export]
calibration = "pictures"
"""


def test_all_that_does_not_fit_is_said_at_once(tmp_path):
    (tmp_path / "recipe.toml").write_text(WRONG)
    with pytest.raises(BadInput) as caught:
        hwnas.run_recipe(tmp_path / "recipe.toml", dry_run=True)
    told = str(caught.value).splitlines()
    for line in (
        "resolutions [12, 400]; allowed: 8 to 64 px in space tiny",
        "device.precision = 'int4' of onnxruntime; allowed: fp32",
        f"supernet.init: {tmp_path}/none.pth is not there",
        "budget.npu_ms in the recipe; allowed: top1, params, madds, cpu_ms, gpu_ms",
        "option 'viws' of accuracy source supernet",
        "--calibration with --precision int4",
    ):
        assert sum(found.startswith(line) for found in told) == 1, (line, told)
    assert not (tmp_path / "out").exists()


def test_faults_of_the_file_come_together(tmp_path):
    (tmp_path / "r.toml").write_text('images = "digits"\nspace = "tiny"\nminutes = -1\nbugdet = 3\n')
    with pytest.raises(BadInput) as caught:
        load(tmp_path / "r.toml")
    assert "unknown key 'bugdet'" in str(caught.value) and "minutes = -1" in str(caught.value)


def work(tmp_path, **values):
    said = {"images": "digits", "space": "tiny", "resolutions": [12], **values}
    return Work(build(RecipeSettings, said, "r"), tmp_path)


@pytest.mark.parametrize(
    ("check", "values", "words"),
    [
        (checks.budget, {"budget": {"cpu_ms": 1e-6}, "device": {"engine": "fake"}}, "the smallest network takes"),
        (checks.out, {"out": "file"}, "cannot write into"),
    ],
)
def test_each_check_has_its_line(tmp_path, check, values, words):
    (tmp_path / "file").write_text("")
    with pytest.raises(HwnasError, match=words):
        check(work(tmp_path, **values))


def test_networks_that_are_judged_on_fewer_images_are_more(tmp_path, monkeypatch):
    monkeypatch.setattr(Work, "pace", Pace(1e-3, 1e-3, 0.0))
    few, whole = work(tmp_path, search={"evaluate": {"images": 50}}), work(tmp_path)
    each = [SearchStage().each(few, {"views": 1, **more}) for more in ({}, {"images": 50}, {"images": 10**6})]
    assert each[0] - each[1] == pytest.approx(2 * (few.dataset.size("val") - 50) * 1e-3) and each[2] == each[0]
    iterations = [SearchStage().values(one, 60.0)["search"]["iterations"] for one in (few, whole)]
    assert iterations[0] > iterations[1]


def test_a_disk_or_a_memory_that_is_too_small_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(checks, "ENGINE", 1e18)
    with pytest.raises(HwnasError, match=r"MB free at .*, about .* are needed \(estimated\)"):
        checks.disk(work(tmp_path))
    monkeypatch.setattr(checks, "available_memory", lambda: 1000)
    with pytest.raises(HwnasError, match=r"MB of memory are free, about"):
        checks.memory(work(tmp_path))


def test_where_the_system_does_not_say_its_memory_nothing_is_refused(tmp_path):
    assert checks.available_memory(tmp_path / "none") is None


def test_the_wished_time_is_shared_out(tmp_path):
    found = expected(work(tmp_path, minutes=30))
    assert sum(found.values()) == pytest.approx(1800, rel=0.01) and found["table"] <= 240
    given = expected(work(tmp_path, minutes=30, tables={"cpu_ms": "t.json"}, supernet={"file": "s.safetensors"}))
    assert given["table"] == given["supernet"] == 0 < found["search"] < given["search"]
    assert expected(work(tmp_path, table={"seconds": 7}))["table"] == 7


@pytest.mark.parametrize(
    ("low", "high", "limit", "expected"),
    [(1, 2, 3, "kept"), (1, 2, 2, "kept"), (1, 3, 2, "within the noise"), (3, 4, 2, "not kept"), (1, 2, None, "none")],
)
def test_whether_a_budget_is_kept(low, high, limit, expected):
    assert shipping.verdict(low, high, limit) == expected


def test_the_last_lines(tmp_path):
    one = shipping.Candidate(
        "a1", "out/engines/a1", 93.33, 84.1, 97.4, "test", 60, 91.0, 1.234, 1.2, 1.19, 1.21, 2.0, "kept"
    )
    row = {"name": "mobilenet_v3_small", "ms": 3.21, "top1": 90.0, "top1_low": 79.9, "top1_high": 95.3}
    row["from"] = "random weights"
    assert shipping.lines([one], [row, {**row, "top1": None}]) == [
        "ship a1: top-1 93.3 % (84.1 to 97.4) of 60 test images; 1.2 ms (1.19 to 1.21, predicted 1.23), "
        "budget 2 ms kept; it lies in out/engines/a1",
        "mobilenet_v3_small: top-1 90.0 % (79.9 to 95.3), 3.21 ms; the same training, from random weights",
        "mobilenet_v3_small: 3.21 ms, not trained on these images",
    ]
