"""The outer loop (paper, algorithm 1): propose, evaluate, record, until the budget of evaluations is spent.

What is proposed and recorded, and where a killed run continues, is `hwnas.search.state`; here is who evaluates.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any

import numpy as np

from hwnas.accuracy import GIVEN, Accuracy, check_options, timeout
from hwnas.accuracy.given import of
from hwnas.search.archive import Proposed
from hwnas.search.asynchronous import state_of
from hwnas.search.executors import Executor, Serial
from hwnas.search.giving_up import FirstAnswers
from hwnas.search.run import Run
from hwnas.search.state import SearchState
from hwnas.space import Architecture
from profilers.progress import Progress, track


def search(run: Run, source: Accuracy | Executor | Callable[..., Any]) -> str:
    """`searched`, of which it returns why it ended before its last iteration, "" if it did not."""
    return searched(run, source).ended


def searched(run: Run, source: Accuracy | Executor | Callable[..., Any]) -> SearchState:
    """Bring a run to its configured number of iterations; what it already has is kept.

    Args:
        run: an open run.
        source: of accuracies, asked in this process: a function or an object, see `hwnas.accuracy.given`; or an
            executor of `hwnas.search.executors`.
    """
    if isinstance(source, Executor):
        return _search(run, source)
    with _in_process(run, source) as executor:
        return _search(run, executor)


def _search(run: Run, executor: Executor) -> SearchState:
    executor.note_in(run.folder)
    state = state_of(run)
    with track(run.config.search.evaluations, "search", done=len(state.rows)) as progress:
        first = FirstAnswers(len(state.pending()), run.config.executor.give_up, len(state.rows))
        if run.config.search.asynchronous:
            _stream(state, executor, progress, first)
        while missing := state.pending():
            _evaluate(state, executor, missing, progress, first)
    return state


def _in_process(run: Run, source: Any) -> Serial:
    """What the program brings; [evaluate] of its run may say how it is to be taken."""
    options = run.config.evaluate if run.config.accuracy == GIVEN else {}
    own = timeout.without(options)
    check_options("given", of, own, hidden=("name",))
    return Serial(of(source, **own), timeout.of(options))


def _evaluate(
    state: SearchState, executor: Executor, missing: Sequence[Proposed], progress: Progress, first: FirstAnswers
) -> None:
    k, archs = state.iteration, state.run.space.decode(np.array([item.genes for item in missing], np.int64))
    for outcome in executor.evaluate(archs):
        row = state.record(missing[outcome.index], archs[outcome.index], outcome)
        progress.advance()
        first.add(row.error)
    progress.note(f"iteration {k}, hypervolume {state.hypervolume:.4f}")


def _stream(state: SearchState, executor: Executor, progress: Progress, first: FirstAnswers) -> None:
    """Every free worker gets a network at once, until there is none and all have answers."""
    handed: list[tuple[Proposed, Architecture]] = []
    numbers: set[int] = set()

    def ask(n: int) -> list[Architecture]:
        found = _take(state, numbers, n)
        numbers.update(item.number for item in found)
        archs = state.run.space.decode(np.array([item.genes for item in found], np.int64)) if found else []
        handed.extend(zip(found, archs, strict=True))
        return archs

    for outcome in executor.stream(ask):
        row = state.record(*handed[outcome.index], outcome)
        progress.advance()
        first.add(row.error)
        progress.note(f"iteration {state.iteration}, hypervolume {state.hypervolume:.4f}")


def _take(state: SearchState, handed: Container[int], n: int) -> list[Proposed]:
    """At most n networks that have no answer and were not handed out."""
    waiting = [item for item in state.pending() if item.number not in handed]
    if len(waiting) < n:
        state.more(n - len(waiting))
        waiting = [item for item in state.pending() if item.number not in handed]
    return waiting[:n]
