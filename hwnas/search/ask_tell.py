"""Ask and tell: the search proposes networks, and whoever asks brings their accuracies, at any time and in any order.

The archive ends equal to that of one call of `driver.search` with a function that gives the same answers, also if the
process is killed in between: what was told is kept, and what was not told is asked again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from threading import RLock
from typing import Any, Self

import numpy as np

from hwnas.accuracy.unit import UnclearUnit, Unit
from hwnas.search.archive import Proposed
from hwnas.search.asynchronous import state_of
from hwnas.search.clearing import clear
from hwnas.search.config import Config
from hwnas.search.executors import Outcome
from hwnas.search.run import Given, Run, create_run, locked, resume_run
from hwnas.search.worker import percentage
from hwnas.space import Architecture
from profilers.errors import BadInput, check_least, shown


class AskTell:
    """A search whose networks are evaluated elsewhere; use as a context manager. Any thread may ask and tell.

    Args:
        run: an open run, whose folder the caller has locked (`open` does both).
        unit: of what is told, "percent" or "fraction"; by default percent, and a value that may be a fraction is asked
            about.

    >>> from hwnas.search.config import Config
    >>> with AskTell.open("runs/mine", Config("tiny", "given", objectives=("top1", "params"))) as search:
    ...     for network in search.ask(2):
    ...         search.tell(network, top1=60 + network.r / 10)
    ...     search.remaining
    338
    """

    def __init__(self, run: Run, unit: str | None = None) -> None:
        self.run = run
        self._state, self._stack, self._lock = state_of(run), ExitStack(), RLock()
        self._unit = Unit(unit or run.config.evaluate.get("unit"), "tell")
        self._unit.trust(self._state.rows.largest_top1())
        self._asked: dict[str, float] = {}  # when each network was handed out, by id

    @classmethod
    def open(
        cls,
        folder: str | Path,
        config: Config,
        unit: str | None = None,
        given: Given = None,
        *,
        resume: bool = True,
        fresh: bool = False,
    ) -> Self:
        """The run of `config` in `folder`, begun there or continued, and locked until it is closed.

        `given` are the objectives whose source is "given", by name; not `resume`: a run that is there is refused;
        `fresh`: it is begun anew.

        Raises:
            BadInput: it was searched with another configuration, or another process searches there.
        """
        folder = Path(folder)
        with ExitStack() as stack:
            stack.enter_context(locked(folder))
            if fresh:
                clear(folder, config)
            opened = (resume_run if resume else create_run)(folder, config, given)
            found = cls(stack.enter_context(opened), unit)
            found._stack = stack.pop_all()
        return found

    @property
    def finished(self) -> bool:
        """Whether all answers are there, or the space has no further network within the budget."""
        return self._state.finished

    @property
    def ended(self) -> str:
        """Why the search ended before its last iteration, "" if it did not."""
        return self._state.ended

    @property
    def remaining(self) -> int:
        """Answers that are still to come, at most: a small space may have fewer networks."""
        return self._state.remaining

    def ask(self, n: int = 1) -> list[Architecture]:
        """At most n networks to evaluate, of one iteration; none once the search is finished.

        First those that were not handed out since the run was opened; where all are, those again that have no answer.
        The next iteration is proposed when this one's answers are complete, so fewer than n may come; under
        `search.asynchronous` networks are proposed whenever they are asked for, once half of the initial are answered.
        """
        check_least(1, n=n)
        with self._lock:
            missing = dict(zip(*self._pending(), strict=True))
            if (short := n - len(missing.keys() - self._asked.keys())) > 0:
                self._state.more(short)
                missing = dict(zip(*self._pending(), strict=True))
            fresh = [key for key in missing if key not in self._asked] or list(missing)
            now = time.perf_counter()
            self._asked |= dict.fromkeys(fresh[:n], now)
            return [missing[key][1] for key in fresh[:n]]

    def tell(
        self,
        network: Any,
        top1: float | None = None,
        *,
        error: str | None = None,
        images: int | None = None,
        seconds: float | None = None,
    ) -> None:
        """Commit the answer for a network that was proposed.

        Args:
            network: what `ask` gave, anything with its `id`, the id itself, or its dict.
            top1: accuracy in percent (or in the unit that was said); what is no such number becomes a failure.
            error: why it could not be evaluated, in place of `top1`.
            images: on how many `top1` is.
            seconds: that the evaluation took; by default since the network was handed out.

        Raises:
            UnclearUnit: `top1` may be a fraction; nothing was committed.
            BadInput: a network that was not proposed or has its answer; no `top1` and no `error`, or both.
        """
        if (top1 is None) == (error is None):
            raise BadInput("tell with both top1 and error" if error else "tell without an answer", "top1 or error")
        check_least(0, seconds=seconds or 0.0)
        check_least(1, images=1 if images is None else images)
        with self._lock:
            key, (item, arch) = self._find(network)
            spent = time.perf_counter() - self._asked.get(key, time.perf_counter()) if seconds is None else seconds
            self._state.record(item, arch, self._outcome(top1, error, images, float(spent)))

    def _outcome(self, top1: Any, error: str | None, images: int | None, seconds: float) -> Outcome:
        if error is not None:
            return Outcome(0, None, str(error) or "no reason given", seconds)
        try:
            value = float(top1)
        except (TypeError, ValueError) as wrong:
            raise BadInput(f"top1 = {shown(top1)}", "a number, in percent") from wrong
        try:
            return Outcome(0, percentage(self._unit.percent(value)), None, seconds, images)
        except UnclearUnit:
            raise
        except BadInput as problem:
            return Outcome(0, None, f"BadInput: {problem}", seconds)

    def _pending(self) -> tuple[list[str], list[tuple[Proposed, Architecture]]]:
        """Ids, and networks of the open iteration that have no answer."""
        missing = self._state.pending()
        if not missing:
            return [], []
        archs = self.run.space.decode(np.array([item.genes for item in missing], np.int64))
        return [arch.id for arch in archs], list(zip(missing, archs, strict=True))

    def _find(self, network: Any) -> tuple[str, tuple[Proposed, Architecture]]:
        key = self._id(network)
        if (row := self._state.rows.with_id(key)) is not None:
            has = row.error if row.error else f"top1 {row.objectives['top1']:g}"
            raise BadInput(f"network {key} has its answer: {has}", "each network once")
        missing = dict(zip(*self._pending(), strict=True))
        if key not in missing:
            raise BadInput(f"network {key} was not proposed", "what ask() gave", "ask() for the next ones")
        return key, missing[key]

    def _id(self, network: Any) -> str:
        if isinstance(network, Mapping):
            return self.run.space.parse(network).id
        return str(getattr(network, "id", network))

    def close(self) -> None:
        """Close and unlock the run, if `open` opened it."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
