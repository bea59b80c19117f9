"""Numbers from a command line that are out of range are one line and exit code 2, never a traceback."""

import pytest

from hwnas.cli import main

pytestmark = pytest.mark.slow

TABLE = ["lut", "build", "--space", "tiny", "--engine", "fake", "--resolutions", "12", "--out", "t.json"]
PLAN = ["lut", "plan", "--space", "tiny", "--resolutions", "12", "--out", "p.jsonl"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*TABLE, "--seed=-1"], "seed = -1"),
        ([*TABLE, "--batch", "0"], "batch = 0"),
        ([*TABLE, "--threads", "0"], "threads = 0"),
        ([*TABLE, "--budget-seconds", "nan"], "budget_seconds = nan"),
        ([*TABLE, "--budget-seconds", "inf"], "budget_seconds = inf"),
        ([*PLAN, "-n", "0"], "0 networks"),
        ([*PLAN, "--batch", "0"], "batch = 0"),
        ([*PLAN, "--seed=-1"], "seed = -1"),
        (["lut", "estimate", "--space", "tiny", "--out", "e.json", "--batch", "0"], "batch = 0"),
        (["export", ".", "--out", "o", "--batch", "0"], "batch = 0"),
        (["export", ".", "--out", "o", "--engine", "auto", "--threads", "0"], "threads = 0"),
        (["compare", ".", "--batch", "0"], "batch = 0"),
    ],
)
def test_out_of_range(arguments, message, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    out, err = capfd.readouterr()
    assert caught.value.code == 2 and out == "" and message in err and len(err.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())
