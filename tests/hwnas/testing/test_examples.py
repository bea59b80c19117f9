"""The examples in the docstrings of what plug-ins are made of, run in a folder of their own."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = {
    "profilers.base": ["Profiler"],
    "profilers.session": ["Session", "FunctionSession", "Tensor", "default_feeds"],
    "profilers.registry": ["get_profiler"],
    "hwnas.search.own_objectives": ["OwnObjective"],
    "hwnas.space.registry": ["get_space"],
    "hwnas.testing.runtime": ["check_runtime"],
    "hwnas.testing.space": ["check_space"],
    "hwnas.testing.objective": ["check_objective"],
    "hwnas.testing.accuracy": ["check_accuracy"],
    "hwnas.testing.surrogate": ["check_surrogate"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    found = {test.name: test for test in doctest.DocTestFinder().find(module) if test.examples}
    missing = {f"{name}.{public}" for public in MODULES[name]} - set(found)
    assert not missing, f"without an example: {missing}"
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for test in found.values():
        runner.run(test)
    assert runner.failures == 0
