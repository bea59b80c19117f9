"""Whether a process has ended, by real ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from profilers.processes import has_ended


def test_a_process_has_ended_before_its_parent_asks():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert not has_ended(child.pid) and not has_ended(os.getpid()) and not has_ended(1)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert Path(f"/proc/{child.pid}").exists() and has_ended(child.pid)  # a zombie
    child.communicate()
    assert has_ended(child.pid) and not has_ended(1 << 80)
