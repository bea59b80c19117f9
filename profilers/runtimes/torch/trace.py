"""Times of a module's layers by torch's profiler: a range around each submodule, events charged to ranges.

On the CPU a layer without submodules has the time of its range, and a module that has some only the operators that it
calls itself. On a GPU each kernel is charged to the innermost range in which the CPU launched it; kernel times are
CUPTI's. Ranges that are entered several times add up.

Source: the events of torch.profiler as torch.autograd.profiler reads them; a kernel's `linked_correlation_id` is the
`correlation_id` of the operator that launched it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from torch import nn

MARK = "hwnas:"  # before the names of our ranges
WHOLE = "the recorded run"  # of the range around it, which no submodule is named like
ITSELF = "forward"  # what the module calls without a submodule
QUIET = "99"  # above all of Kineto's levels, which writes to stderr


class Event(NamedTuple):
    """One event of the profiler, nanoseconds; a kernel's `link` is the `id` of the operator that launched it."""

    name: str
    start: int
    ns: int
    id: int
    link: int
    on_cpu: bool

    @property
    def end(self) -> int:
        """When it was over."""
        return self.start + self.ns


class Range(NamedTuple):
    """An event that lasts still, and the submodule in which it happens ("" outside of all)."""

    event: Event
    layer: str


def put_ranges(module: nn.Module) -> dict[str, str]:
    """Ranges around a module and all submodules from now on; by name the kind of each."""
    parts = {name or ITSELF: part for name, part in module.named_modules()}
    for name, part in parts.items():
        _hook(part, MARK + name)
    return {name: type(part).__name__ for name, part in parts.items()}


def _hook(module: nn.Module, name: str) -> None:
    from torch.autograd.profiler import record_function

    entered: list[Any] = []

    def enter(*_: Any) -> None:
        entered.append(record_function(name).__enter__())  # type: ignore[no-untyped-call]

    def leave(*_: Any) -> None:
        entered.pop().__exit__(None, None, None)

    module.register_forward_pre_hook(enter)
    module.register_forward_hook(leave, always_call=True)


@contextmanager
def recorded(found: list[Any], *, cuda: bool) -> Iterator[None]:
    """Record what happens inside; its events are added to `found` as torch has them."""
    os.environ.setdefault("KINETO_LOG_LEVEL", QUIET)
    from torch.autograd.profiler import profile  # torch.profiler is on top of it, and imports torch's compiler

    with profile(use_kineto=True, use_device="cuda" if cuda else None) as profiler:
        yield
    found.append(profiler.kineto_results)


def events_of(results: Any) -> list[Event]:
    """Torch's events since the recorded run began, read quickly: its own objects take a tenth of a second a network."""
    from torch.autograd import DeviceType  # type: ignore[attr-defined]  # it is there, from C++

    cpu, found = DeviceType.CPU, results.events()
    begin = next((e.start_ns() for e in found if e.name() == MARK + WHOLE and e.device_type() == cpu), 0)
    return [
        Event(e.name(), e.start_ns(), e.duration_ns(), e.correlation_id(), e.linked_correlation_id(), on_cpu)
        for e in found
        if (on_cpu := e.device_type() == cpu) is False or e.start_ns() >= begin
    ]


def layer_times(events: Iterable[Event], *, cuda: bool) -> dict[str, float]:
    """Milliseconds by submodule of what happened in the range `WHOLE`."""
    events = list(events)
    nested = _nested(event for event in events if event.on_cpu and not event.link)  # none of the driver's own
    ns = _kernels(events, nested) if cuda else _ranges(nested)
    return {name: value / 1e6 for name, value in ns.items()}


def _nested(events: Iterable[Event]) -> list[tuple[Event, Range | None]]:
    """The events of the recorded run in order, each with what it happens in; those of one thread, as they nest."""
    found: list[tuple[Event, Range | None]] = []
    open_: list[Range] = []
    for event in sorted(events, key=lambda e: (e.start, -e.ns)):
        while open_ and open_[-1].event.end <= event.start:
            open_.pop()
        if not open_ and event.name != MARK + WHOLE:
            continue
        around = open_[-1] if open_ else None
        layer = event.name.removeprefix(MARK) if event.name.startswith(MARK) else around.layer if around else ""
        found.append((event, around))
        open_.append(Range(event, "" if layer == WHOLE else layer))
    return found


def _ranges(nested: list[tuple[Event, Range | None]]) -> dict[str, float]:
    """On the CPU: whole ranges of layers, of others the operators that they call themselves."""
    inner = [(event, around) for event, around in nested if around and around.event.name.startswith(MARK)]
    parents = {around.event.id: around.layer for event, around in inner if event.name.startswith(MARK)}
    ns: dict[str, float] = {}
    for event, around in inner:
        if event.name.startswith(MARK):
            if event.id not in parents:
                name = event.name.removeprefix(MARK)
                ns[name] = ns.get(name, 0.0) + event.ns
        elif around.layer and around.event.id in parents:
            ns[around.layer] = ns.get(around.layer, 0.0) + event.ns
    return ns


def _kernels(events: list[Event], nested: list[tuple[Event, Range | None]]) -> dict[str, float]:
    """On the GPU: kernels by the range of the operator that launched them."""
    layers = {event.id: around.layer for event, around in nested if around and around.layer}
    ns: dict[str, float] = {}
    for event in events:
        if not event.on_cpu and not event.name.startswith(MARK) and event.link in layers:
            ns[layers[event.link]] = ns.get(layers[event.link], 0.0) + event.ns
    return ns
