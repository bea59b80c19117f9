"""Twenty kills of commands that are quick, and that the campaign sees what it looks for."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tools.campaign.kills import differences, faults_of_kill, left_behind
from tools.campaign.mortal import HUNG, Ended, Moment

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_twenty_kills_change_nothing_and_leave_nothing(tmp_path):
    options = ["--count", "2", "--kills", "10", "--seed", "3", "--commands", "search", "train finetune"]
    command = [sys.executable, "-m", "tools.campaign.kills", *options, "--out", str(tmp_path / "kills")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line for line in done.stdout.splitlines() if "SIGKILL" in line]
    assert sum(int(n) for row in rows for n in re.findall(r"(\d+) SIG", row)) == 20
    assert not (tmp_path / "kills").exists()


TOLD = "hwnas: terminated; try: the same command again"


@pytest.mark.parametrize(
    ("code", "err", "survivors", "left", "said"),
    [
        (143, TOLD, (), [], []),
        (0, "done", (), ["a"], []),  # it had ended before
        (143, TOLD, (), [".lock"], ["left .lock"]),
        (143, f"Traceback\n{TOLD}", (), [], [f"traceback: {TOLD}"]),
        (1, TOLD, (), [], ["exit code 1"]),
        (143, "hwnas: something", (), [], ["last line ['hwnas: something']"]),
        (143, TOLD, ("a worker",), [], ["still runs: a worker"]),
        (HUNG, TOLD, (), [], ["did not end", f"exit code {HUNG}"]),
    ],
)
def test_what_is_wrong_right_after_a_signal(code, err, survivors, left, said):
    ended = Ended(code, "", err, 1.0, 1, survivors)
    assert list(faults_of_kill(ended, Moment(signal.SIGTERM), left)) == said


def test_what_is_made_is_compared_and_what_is_left_is_seen(tmp_path):
    assert differences({"a": 1, "b": 2}, {"b": 3, "c": 4}) == ["a is missing", "c is new", "b differs"]
    for name in ("work/run.toml", "work/.run.toml.1.hwnas", "logs/tmp/hwnas-x", "logs/tmp/ray"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "work/empty").mkdir()
    assert left_behind(tmp_path / "work", tmp_path / "logs") == [".run.toml.1.hwnas", "empty", "hwnas-x"]
