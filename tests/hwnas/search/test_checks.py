"""Everything that is wrong with a configuration and its files is said in one go, whatever else is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwnas.search import checks
from hwnas.search.config import Config
from hwnas.train.configured import finetune_config, supernet_config
from profilers.errors import BadInput, FileProblem, HwnasError

SEARCH = """
space = "tiny"
accuracy = "table:accuracies.csv"
objectives = ["top1", "madds", "cpu_ms"]
resolutions = [7]
[tables]
cpu_ms = "here.json"
[budget]
mads = 3
[serch]
initial = 8
[executor]
kind = "serial"
workers = 2
"""


def lines_of(tmp_path: Path, text: str, *overrides: str) -> list[str]:
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(HwnasError) as caught:
        checks.load(path, overrides, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    lines = str(caught.value).replace(f"{tmp_path}/", "").splitlines()
    assert all(len(line) < 300 for line in lines)
    return lines


def test_a_search_with_much_wrong(tmp_path):
    assert lines_of(tmp_path, SEARCH) == [
        "c.toml: unknown key 'serch'; allowed: search; try: search",
        "c.toml: executor serial with 2 workers; allowed: workers of processes",
        "c.toml: resolutions [7]; allowed: 8 to 64 px in space tiny",
        "c.toml: unknown objective 'mads'; allowed: top1, params, madds, cpu_ms, weight_bytes, peak_memory; try: madds",
        "accuracy source table: cannot read accuracies.csv: No such file or directory; try: check the path",
        "the table of cpu_ms: cannot read here.json: No such file or directory; try: check the path",
    ]


def test_what_needs_the_space_is_looked_at_where_there_is_one(tmp_path):
    (tmp_path / "accuracies.csv").write_text("id,top1\n")
    (tmp_path / "here.json").write_text("{}")
    text = SEARCH.replace("resolutions = [7]", "").replace("mads = 3", "madds = 3\nparams = 2")
    text += '[evaluate]\nimages = 3\nunits = "percent"\ndataset = "folder:nowhere"\n'
    lines = lines_of(tmp_path, text, "executor.workers=1", "init_from=elsewhere")
    assert lines == [
        "c.toml: unknown key 'serch'; allowed: search; try: search",
        "option 'units' of accuracy source table; allowed: unit, images",
        "data set folder: the folder nowhere does not exist; allowed: folder:DIR of a folder that is there; try: "
        "HWNAS_ROOT_FOLDER=DIR, where it is now",
        *[line for line in lines if line.startswith("here.json")],
        "budget madds = 3 is below the space's smallest network; allowed: at least 37416",
        *[line for line in lines if line.startswith("budget params = 2 is below")],
        "elsewhere holds no run (no run.toml); try: hwnas search CONFIG.toml --out RUN",
    ]
    assert len(lines) == 7


def test_a_missing_table_is_told_with_the_command_that_makes_it(tmp_path):
    text = SEARCH.replace("resolutions = [7]", "").replace("mads", "madds").replace("serch", "search")
    lines = lines_of(tmp_path, text.replace("madds = 3", ""), "executor.workers=1", "accuracy=python:mine:top1")
    assert lines == [
        "the table of cpu_ms: cannot read here.json: No such file or directory; try: hwnas lut build --space tiny "
        "--engine ENGINE --out here.json"
    ]


def test_a_space_that_cannot_be_read_is_said_once(tmp_path):
    text = SEARCH.replace('"tiny"', '"own.toml"').replace("mads", "madds").replace("[serch]", "[search]")
    assert [line.split(":")[0] for line in lines_of(tmp_path, text)] == [
        "cannot read own.toml", "c.toml", "accuracy source table", "the table of cpu_ms",
    ]  # fmt: skip


def test_a_configuration_made_in_python_is_looked_at_as_well(tmp_path):
    config = Config("tiny", f"table:{tmp_path}/t.csv", objectives=("top1", "madds"), budget={"madds": 1.0})
    with pytest.raises(BadInput) as caught:
        checks.check(tmp_path / "run", config)
    assert len(str(caught.value).splitlines()) == 2


def test_a_folder_in_place_of_a_file(tmp_path):
    config = Config("tiny", f"table:{tmp_path}", objectives=("top1", "madds"))
    with pytest.raises(FileProblem, match=f"accuracy source table: cannot read {tmp_path}: Is a directory"):
        checks.check(tmp_path / "run", config)


def test_a_file_in_place_of_a_folder(tmp_path):
    (tmp_path / "run").write_text("")
    config = Config("tiny", f"table:{tmp_path}/t.csv", objectives=("top1", "madds"))
    with pytest.raises(BadInput) as caught:
        checks.check(tmp_path / "run", config)
    assert (
        str(caught.value).splitlines()[0].endswith("run is a file; allowed: a folder for the run; try: another --out")
    )


def test_what_is_no_source_is_said_once(tmp_path):
    assert lines_of(tmp_path, 'space = "tiny"\naccuracy = "t.csv"\n') == [
        "c.toml: accuracy source 't.csv'; allowed: supernet:…, ofa-predictor:…, table:…, python:…"
    ]


def test_a_supernet_with_much_wrong(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text('space = "tiny"\ndataset = "foldr:x"\nout = "s.pth"\nresolutions = [7]\ntheads = 3\n')
    with pytest.raises(BadInput) as caught:
        supernet_config(path, ["recipe.batch=0"])
    lines = str(caught.value).replace(f"{tmp_path}/", "").splitlines()
    assert [line.partition(";")[0] for line in lines] == [
        "s.toml: unknown key 'theads'", "s.toml: recipe.batch = 0", "unknown data set 'foldr'", "resolutions [7]",
        "out = s.pth",
    ]  # fmt: skip


def test_fine_tuning_with_much_wrong(tmp_path):
    path = tmp_path / "f.toml"
    path.write_text('dataset = "folder"\narchs = "a.jsonl"\nout = "n"\nteacher = true\nepoch = 3\n')
    with pytest.raises(BadInput) as caught:
        finetune_config(path)
    lines = str(caught.value).replace(f"{tmp_path}/", "").splitlines()
    assert [line.partition(";")[0] for line in lines] == [
        "f.toml: unknown key 'epoch'", "f.toml: neither supernet nor space", "f.toml: teacher without supernet",
        "data set folder without a folder", "cannot read a.jsonl: No such file or directory",
    ]  # fmt: skip
