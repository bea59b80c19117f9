from __future__ import annotations

import json

import pytest

from hwnas.cli import main
from profilers.registry import PROFILERS


def call(capsys, *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    out, err = capsys.readouterr()
    return int(stopped.value.code or 0), out, err


def write_archs(path, *archs):
    path.write_text("".join(json.dumps(a) + "\n" for a in archs))
    return str(path)


SMALL = {"ks": [3] * 10, "e": [3] * 10, "d": [2] * 5, "r": 192}


@pytest.mark.slow
def test_count(capsys, tmp_path):
    file = write_archs(tmp_path / "a.jsonl", SMALL, {"arch": SMALL | {"r": 256}})
    code, out, _ = call(capsys, "count", "--space", "mbv3", "--archs", file)
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [r["params"] for r in rows] == [3410792] * 2
    assert rows[1]["madds"] > rows[0]["madds"] == 89841344


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--space", "mbv9"], "unknown space 'mbv9'"),
        (["--space", "mbv3", "--resolutions", "192:128:4"], "resolutions '192:128:4'"),
        (["--space", "mbv3", "--resolutions", "224"], "line 1: resolution 192"),
        (["--space", "tiny"], "line 1: "),
    ],
)
def test_errors_are_one_line_and_exit_code_2(capsys, tmp_path, arguments, said):
    file = write_archs(tmp_path / "a.jsonl", SMALL)
    code, out, err = call(capsys, "count", *arguments, "--archs", file)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"ks": NaN}', "\x00\x01"])
def test_bad_files(capsys, tmp_path, text):
    (tmp_path / "a.jsonl").write_text(text)
    code, out, err = call(capsys, "count", "--space", "mbv3", "--archs", str(tmp_path / "a.jsonl"))
    assert (code, out, err.count("\n")) == (2, "", 1)
    code, _, err = call(capsys, "count", "--space", "mbv3", "--archs", str(tmp_path / "missing.jsonl"))
    assert code == 2
    assert "cannot read" in err


@pytest.mark.slow
def test_engines_names_each_runtime_or_what_is_missing(capsys):
    code, out, _ = call(capsys, "engines")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == list(PROFILERS)
    _, out, _ = call(capsys, "engines", "--json")
    for row in map(json.loads, out.splitlines()):
        assert row["version"] if row["available"] else row["reason"]
