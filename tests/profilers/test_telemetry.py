"""Runtimes report nothing, seen from outside: by the files that their reporting keeps."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
USED = """
import sys
from profilers import registry
from profilers.base import Options
from tests.profilers import models

with registry.get_profiler(sys.argv[1]).load(models.chain(), Options()) as session:
    session.run()
assert "openvino_telemetry" not in sys.modules
"""


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_nothing_is_kept_about_the_user(engine, tmp_path):
    pytest.importorskip(engine)
    places = {"HOME": str(tmp_path), "TMPDIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    subprocess.run([sys.executable, "-c", USED, engine], env={**kept, **places}, check=True)
    assert list(tmp_path.iterdir()) == []


def test_who_has_set_the_variable_has_decided():
    shown = "import os, profilers; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    for value, expected in (("0", "0"), ("", ""), (None, "1")):
        kept = {name: text for name, text in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
        env = {**kept, "PYTHONPATH": str(ROOT), **({} if value is None else {"ORT_DISABLE_TELEMETRY": value})}
        done = subprocess.run([sys.executable, "-c", shown], env=env, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == expected
