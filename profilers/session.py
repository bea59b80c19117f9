"""A loaded model: what goes in and comes out, one timed run, and which nodes took how long.

Inputs and outputs have any number, names and types. Every input is bound when a model is loaded, with `default_feeds`,
so that `run` alone is what is timed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Mapping, NamedTuple  # noqa: UP035  collections.abc's cannot be subscripted on Python 3.8

import numpy as np
from numpy.typing import NDArray

from profilers.errors import BadInput, EngineUnavailable, HwnasError, said
from profilers.timing.caches import take_caches
from profilers.timing.clock import Clock, SystemClock
from profilers.timing.sensors import Sensor

Array = NDArray[np.float32]
Feeds = Mapping[str, NDArray[Any]]


class Tensor(NamedTuple):
    """An input or output: its static shape, and its type as NumPy names it.

    >>> Tensor((1, 128), "int64").dtype
    'int64'
    """

    shape: tuple[int, ...]
    dtype: str


class NodeDetail(NamedTuple):
    """What a runtime says of one name of `Session.node_times`.

    op     its own name of the operator, such as "FusedConv"
    nodes  the ONNX nodes that are computed in it, in the graph's order; none where the runtime has no ONNX node for it
    own    the runtime's own operators (layout changes, …) whose time was added to it
    """

    op: str
    nodes: tuple[str, ...] = ()
    own: tuple[str, ...] = ()


class Session(ABC):
    """A loaded model with its inputs and outputs bound beforehand: `run` alone is the timed region.

    `threads` is the number of CPU threads that a run uses, 0 where another device does the work (the timing loop then
    compares no CPU time). `clock` times the runs; a simulated device has its own. `sensor` reads between
    blocks what disturbs the device; None stands for this machine's CPU.

    A subclass sets `inputs` and `outputs`; its `run` takes `feeds` and leaves `results`, both by name. One that binds
    buffers of its runtime writes `_feed` and `_fetch` instead.

    >>> class Doubled(Session):
    ...     inputs = {"x": Tensor((2,), "float32")}
    ...     outputs = {"y": Tensor((2,), "float32")}
    ...
    ...     def run(self):
    ...         self.results = {"y": 2 * self.feeds["x"]}
    >>> Doubled().run_on({"x": np.array([1.0, 2.0])})
    {'y': array([2., 4.], dtype=float32)}
    """

    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]
    results: Feeds
    threads: int = 1
    clock: Clock = SystemClock()
    sensor: Sensor | None = None
    notes: tuple[str, ...] = ()  # what is not as the options say, a line each

    @abstractmethod
    def run(self) -> None:
        """One inference on the bound buffers, complete when it returns."""

    @cached_property
    def feeds(self) -> Feeds:
        """What the next run works on, by name; `default_feeds` at first."""
        return default_feeds(self.inputs)

    def _feed(self, feeds: Feeds) -> None:
        """Put values of the inputs' shapes and types where `run` finds them."""
        self.feeds = feeds

    def _fetch(self) -> dict[str, NDArray[Any]]:
        """The outputs of the last run, which later runs do not change."""
        return {name: np.array(values) for name, values in self.results.items()}

    def run_on(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        """Outputs by name (copies) for inputs by name; not timed. Later runs keep these inputs.

        Raises:
            BadInput: a missing or unknown input, one of another shape or kind of number, or values that the model does
                not run on (a token that it does not know).
        """
        self._feed(checked_feeds(self.inputs, feeds))
        try:
            self.run()
            return self._fetch()
        except (HwnasError, MemoryError):
            raise
        except Exception as error:  # the runtimes' have no common base
            got = f"the model does not run on these inputs: {type(error).__name__}: {said(error)}"
            raise BadInput(got, "values that it knows") from error

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of the one float input; BadInput where there are others."""
        return single_float(self.inputs, "input")[1]

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Of the one float output; BadInput where there are others."""
        return single_float(self.outputs, "output")[1]

    def infer(self, images: Array) -> Array:
        """The one float output (a copy) for `images` of `input_shape`; not timed."""
        (entry, shape), (exit_, _) = single_float(self.inputs, "input"), single_float(self.outputs, "output")
        if images.shape != shape:
            raise BadInput(f"images of shape {images.shape}", str(shape))
        return np.asarray(self.run_on({entry: images})[exit_], np.float32)

    def interrupt(self) -> None:
        """Evict the model from the caches, as other work would; not timed."""
        take_caches(self.threads)

    def node_times(self) -> list[dict[str, float]]:
        """One dict a run since the last call, in order: milliseconds by node name. Only for traced sessions.

        Names are those of the ONNX graph (`L07_expand`, …) wherever the runtime keeps them. Time that the runtime
        spends in nodes of its own (layout reorders) is attributed to the next named node.
        """
        raise EngineUnavailable(f"{type(self).__name__} has no per-node times")

    def node_details(self) -> dict[str, NodeDetail]:
        """What stands behind the names of `node_times`, as far as the runtime says; {} where it says nothing."""
        return {}

    def close(self) -> None:  # noqa: B027  most sessions have nothing to free
        """Free what the session holds."""

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class FunctionSession(Session):
    """A function as a session: it is called with the inputs by name and gives the outputs in order.

    >>> tensor = Tensor((2,), "float32")
    >>> with FunctionSession({"x": tensor}, {"y": tensor}, lambda feeds: [2 * feeds["x"]]) as session:
    ...     session.infer(np.ones(2, np.float32))
    array([2., 2.], dtype=float32)
    """

    def __init__(
        self,
        inputs: dict[str, Tensor],
        outputs: dict[str, Tensor],
        function: Callable[[Feeds], Sequence[NDArray[Any]]],
        threads: int = 1,
    ) -> None:
        self.inputs, self.outputs, self.function, self.threads = inputs, outputs, function, threads

    def run(self) -> None:
        """Call it once."""
        found = self.function(self.feeds)
        self.results = {name: found[i] for i, name in enumerate(self.outputs)}


def default_feeds(inputs: Mapping[str, Tensor], seed: int = 0) -> dict[str, NDArray[Any]]:
    """Values that every input can be run on: standard normal floats, whole numbers of 1 (a valid token or mask), True.

    >>> default_feeds({"tokens": Tensor((1, 3), "int64")})
    {'tokens': array([[1, 1, 1]])}
    """
    rng = np.random.default_rng(seed)
    return {name: _default(tensor, rng) for name, tensor in inputs.items()}


def _default(tensor: Tensor, rng: np.random.Generator) -> NDArray[Any]:
    dtype = np.dtype(tensor.dtype)
    if dtype.kind == "f":
        return np.asarray(rng.standard_normal(tensor.shape, dtype=np.float32)).astype(dtype, copy=False)
    return np.ones(tensor.shape, dtype)


def checked_feeds(inputs: Mapping[str, Tensor], feeds: Feeds) -> dict[str, NDArray[Any]]:
    """The values as contiguous arrays of the inputs' types.

    Raises:
        BadInput: a missing or unknown input, or one of another shape or kind of number.
    """
    if set(feeds) != set(inputs):
        raise BadInput(f"inputs {', '.join(feeds) or 'none'}", ", ".join(inputs))
    found = {}
    for name, tensor in inputs.items():
        values = np.asarray(feeds[name])
        if values.shape != tensor.shape:
            raise BadInput(f"input {name} of shape {values.shape}", str(tensor.shape))
        if not np.can_cast(values.dtype, tensor.dtype, "same_kind"):
            raise BadInput(f"input {name} of type {values.dtype}", tensor.dtype)
        found[name] = np.array(values, tensor.dtype, order="C")
    return found


def single_float(tensors: Mapping[str, Tensor], what: str) -> tuple[str, tuple[int, ...]]:
    """Name and shape of the one input or output; BadInput unless there is one, of float32."""
    if len(tensors) != 1:
        raise BadInput(f"a model with {len(tensors)} {what}s ({', '.join(tensors) or 'none'})", f"one float32 {what}")
    ((name, tensor),) = tensors.items()
    if tensor.dtype != "float32":
        raise BadInput(f"{what} {name} of type {tensor.dtype}", f"one float32 {what}")
    return name, tensor.shape
