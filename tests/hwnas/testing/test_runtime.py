"""That the contract suite finds what is wrong with a runtime: each is the example with one thing broken."""

from __future__ import annotations

import numpy as np
import pytest

from hwnas.testing import check_runtime
from profilers import registry
from profilers.base import FunctionSession, NodeDetail, Session, Status
from profilers.errors import EngineUnavailable
from profilers.registry import PROFILERS
from tests.plugin_package.hwnas_example.runtime import Plain


@pytest.fixture(autouse=True)
def own(monkeypatch):
    """What a test makes known is forgotten after it."""
    monkeypatch.setattr(PROFILERS, "_found", dict(PROFILERS._found))
    monkeypatch.setattr(registry, "_places", {})


class Changed(Session):
    """A session of the example with its outputs changed."""

    def __init__(self, inner, change):
        self.inner, self.change, self.inputs, self.outputs = inner, change, inner.inputs, inner.outputs

    def run(self):
        self.inner.feeds = self.feeds
        self.inner.run()
        self.results = {name: self.change(values) for name, values in self.inner.results.items()}


def changed(change):
    def _load(self, model, options, traced):
        return Changed(Plain._load(self, model, options, traced), change)

    return _load


def shared(self, model, options, traced):
    """A session whose outputs are its own buffers."""
    session = Plain._load(self, model, options, traced)
    buffers = {name: np.zeros(t.shape, t.dtype) for name, t in session.outputs.items()}

    class Shared(Session):
        inputs, outputs = session.inputs, session.outputs

        def run(self):
            session.feeds = self.feeds
            session.run()
            for name, values in session.results.items():
                buffers[name][...] = values

        def _fetch(self):
            return buffers

    return Shared()


def one_batch(self, model, options, traced):
    return Plain._load(self, model, type(options)(), traced)


class Traced(FunctionSession):
    def node_times(self):
        return [{"no_such_node": 0.0}]

    def node_details(self):
        return {"no_such_node": NodeDetail("Add", ("no_such_node",))}


def traced(self, model, options, traced):
    session = Plain._load(self, model, options, traced)
    return Traced(session.inputs, session.outputs, session.function) if traced else session


def loader(**changes):
    return lambda self, file, options: Plain.loader(self, file, options)._replace(**changes)


def raises(self, *_):
    raise ValueError("two\nlines")


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"_load": changed(lambda values: values * 1.01)}, "off by .* of its largest value"),
        ({"_load": changed(lambda values: values.astype(np.float64))}, "outputs .*float64.*stated as"),
        ({"_load": shared}, "a later run changes earlier outputs"),
        ({"_load": one_batch}, "batch 3"),
        ({"_load": traced, "traces": True}, "dicts of node times after|no_such_node, which the ONNX has not"),
        ({"_status": lambda self: Status(True)}, "an available runtime has no version"),
        ({"_status": lambda self: Status(False, reason="broken")}, "neither why nor what mends it"),
        ({"supported_precisions": lambda self: ("fp8",)}, "supported_precisions has ..fp8"),
        ({"require": lambda self, options: None}, "an unknown precision is not refused"),
        ({"require": raises}, "two"),
        ({"loader": loader(load="1 +")}, "invalid syntax"),
        ({"loader": loader(load="import nothing_of_this_name")}, "the loader fails: ModuleNotFoundError"),
        ({"loader": loader(call="{'other': feeds['input']}")}, r"the loader gives \['other'\]"),
        ({"suffixes": (".abc",)}, "compile wrote \\[\\], of suffixes"),
        ({"suffixes": (".abc",), "_compile": lambda self, *_: ["model.abc"]}, "compile did not write model.abc"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else None,
)
def test_what_is_broken_is_found(broken, words):
    runtime = type("Broken", (Plain,), {"name": "broken", **broken})
    with pytest.raises((AssertionError, SyntaxError, ValueError), match=words):
        check_runtime(runtime)


def test_an_unavailable_one_says_why():
    runtime = type("Away", (Plain,), {"name": "away", "_status": lambda self: Status(False, "", "not here", "go")})
    with pytest.raises(EngineUnavailable, match="not here; try: go"):
        check_runtime(runtime)
