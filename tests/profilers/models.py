"""Small models and sessions that the tests here share, those of `hwnas.testing` among them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import TensorProto, helper

from hwnas.onnx.writer import write_onnx
from hwnas.space import get_space
from hwnas.testing.models import chain, dynamic_size, model, tokens, two_inputs
from profilers.base import Session
from profilers.runtimes.fake import FakeClock

__all__ = ["Scripted", "chain", "dynamic_size", "integer_input", "text_input", "tiny", "tokens", "two_inputs"]


def tiny(batch: int | None = 1, seed: int = 0) -> tuple[bytes, int]:
    """A random network of the tiny space, and its number of layers."""
    space = get_space("tiny")
    layers = space.layers(space.decode(space.sample(1, np.random.default_rng(seed)))[0])
    return write_onnx(layers, batch=batch), len(layers)


def integer_input() -> bytes:
    info = [helper.make_tensor_value_info(n, TensorProto.INT32, [1, 4]) for n in ("a", "b")]
    graph = helper.make_graph([helper.make_node("Identity", ["a"], ["b"], name="L00_same")], "g", info[:1], info[1:])
    return model(graph)


def text_input() -> bytes:
    info = [helper.make_tensor_value_info(n, TensorProto.STRING, [1, 4]) for n in ("a", "b")]
    graph = helper.make_graph([helper.make_node("Identity", ["a"], ["b"], name="L00_same")], "g", info[:1], info[1:])
    return model(graph)


class Scripted(Session):
    """A session whose run number n takes `wall(n)` seconds, of which it computes `cpu(n)`; counts its runs."""

    def __init__(
        self,
        clock: FakeClock,
        wall: Callable[[int], float],
        cpu: Callable[[int], float] | None = None,
        log: list[str] | None = None,
        name: str = "",
        threads: int = 1,
    ) -> None:
        self.clock, self.wall, self.cpu = clock, wall, cpu or wall
        self.log, self.name, self.threads = log if log is not None else [], name, threads
        self.runs = 0

    def run(self) -> None:
        self.log.append(self.name)
        self.clock.advance(self.wall(self.runs), self.cpu(self.runs))
        self.runs += 1
