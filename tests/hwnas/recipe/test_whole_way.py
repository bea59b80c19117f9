"""From a folder of drawings to an engine that is told to be shipped."""

from __future__ import annotations

import shutil

import pytest

import hwnas
from tests.drawings import make

RECIPE = """
images = "folder:../my pictures"
space = "tiny"
resolutions = [12]
seed = 3
[budget]
cpu_ms = 5
[tables]
cpu_ms = "table.json"
[supernet]
phases = [{ name = "all", epochs = 1, lr = 0.1, kernels = 0, depths = 0, expands = 0 }]
[search]
initial = 8
iterations = 0
[select]
n = 1
[finetune]
epochs = 1
[export]
quick = true
"""


@pytest.fixture
def place(tmp_path):
    """A folder with a space in its name, with a recipe, beside the drawings."""
    make(tmp_path / "my pictures", classes=2, per_class=20, size=12)
    folder = tmp_path / "my recipe"
    folder.mkdir()
    (folder / "recipe.toml").write_text(RECIPE)
    hwnas.LatencyTable.estimate("tiny", resolutions=[12]).save(folder / "table.json")  # measured takes longer
    return folder


@pytest.mark.slow
def test_the_whole_way_and_once_more_from_another_place(place, tmp_path):
    lines: list[str] = []
    found = hwnas.run_recipe(place / "recipe.toml", say=lines.append)
    assert hwnas.Engine(place / found["engine"]).name == found["ship"]
    assert found["budget"] == "kept" and found["engines"][0]["images"] == 8
    (told,) = [line for line in lines if line.startswith(f"ship {found['ship']}: top-1 ")]
    assert "budget 5 ms kept" in told
    assert (place / "out/report.html").is_file()
    for name in ("supernet", "search", "finetune"):  # what the single commands read
        assert (place / f"out/{name}.toml").is_file()

    moved = tmp_path / "elsewhere/deep"
    moved.parent.mkdir()
    place.rename(moved)
    shutil.move(tmp_path / "my pictures", tmp_path / "elsewhere/my pictures")
    again: list[str] = []
    assert hwnas.run_recipe(moved / "recipe.toml", say=again.append)["ship"] == found["ship"]
    assert [line for line in again[1:10] if not any(x in line for x in ("kept (", "given", "no models"))] == []
    assert hwnas.train_supernet(moved / "out/supernet.toml", resume=True)["supernet"]
