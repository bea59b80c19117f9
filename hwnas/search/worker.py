"""An evaluation, wherever it runs; and a process that does one after another: `python -m hwnas.search.worker`.

Both directions are lines of JSON. In: first {"source": text, "parent": process id}, then a list of architectures a
line. Out: first {"batch": how many it takes at a time} when the accuracy source is open, or {"refused": [got, allowed,
remedy]}, then a list of answers a line, each {"top1": percent, "seconds": …} or {"error": text, "seconds": …}. What
evaluations print goes to stderr, and they have no stdin.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from hwnas.accuracy import Accuracy, open_accuracy, timeout
from hwnas.accuracy.unit import UnusableSource
from hwnas.search.kept_weights import keeping
from hwnas.space import Architecture, stored_space
from profilers.errors import BadInput, HwnasError, shown
from profilers.isolate import end_with_parent
from profilers.reasons import foreign, why


@lru_cache(maxsize=1)
def open_source(text: str) -> Accuracy:
    """The accuracy source that `Config.source` describes, opened once a process."""
    source = json.loads(text)
    about = source["resolutions"], source["classes"]
    space = stored_space(source["space"], source["definition"], *about, where="the search")
    return keeping(open_accuracy(source["accuracy"], space, timeout.without(source["evaluate"])), source["keep"])


def batch(accuracy: Any) -> int:
    """How many networks a source wants at a time."""
    found = getattr(accuracy, "batch", 1)
    return found if isinstance(found, int) and found > 0 else 1


def answers(accuracy: Accuracy, archs: Sequence[Architecture], limit: float | None = None) -> list[dict[str, Any]]:
    """{"top1" and "images", or "error"; "seconds"} of each: one that cannot be evaluated is a failure of that network.

    {"refused"} if the source as a whole cannot be used. Of several at once each takes its share of the seconds.
    Within `limit` seconds for each; of several that took longer each is asked for alone.
    """
    start = time.perf_counter()
    try:
        with timeout.within(limit and limit * len(archs)):
            values = _evaluated(accuracy, archs)
    except UnusableSource as error:
        return [{"refused": [error.got, error.allowed, error.remedy]}] * len(archs)
    except timeout.TimedOut:
        if len(archs) > 1:
            return [answers(accuracy, [arch], limit)[0] for arch in archs]
        return [{"error": timeout.reason(limit or 0.0), "seconds": time.perf_counter() - start}]
    seconds, images = (time.perf_counter() - start) / len(archs), getattr(accuracy, "images", None)
    return [{**_found(value, images), "seconds": seconds} for value in values]


def _evaluated(accuracy: Any, archs: Sequence[Architecture]) -> list[Any]:
    try:
        if not hasattr(accuracy, "evaluate_batch"):
            return [accuracy.evaluate(arch) for arch in archs]
        found = list(accuracy.evaluate_batch(archs))
        if len(found) != len(archs):
            raise UnusableSource(f"{len(found)} accuracies for {len(archs)} networks", "one for each, in their order")
        return found
    except (UnusableSource, KeyboardInterrupt, timeout.TimedOut):
        raise
    except BaseException as problem:  # a source can raise anything
        return [problem] * len(archs)


def _found(value: Any, images: int | None) -> dict[str, Any]:
    if isinstance(value, BaseException):
        return {"error": why(value)}
    try:
        return {"top1": percentage(value), "images": images}
    except BadInput as error:
        return {"error": f"BadInput: {error}"}


def serve(text: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """The answer for one architecture, or {"refused"} if the source cannot be opened here."""
    try:
        accuracy = open_source(text)
    except HwnasError as error:
        return {"refused": [error.got, error.allowed, error.remedy]}
    return _served(accuracy, [Architecture.from_json(value)], timeout.of_source(text))[0]


def check_open(found: Mapping[str, Any]) -> None:
    """BadInput if a worker could not open or use the source."""
    if "refused" in found:
        raise BadInput(*found["refused"])


def percentage(value: Any) -> float:
    """`value` if it is a percentage, else BadInput."""
    allowed = "a percentage from 0 to 100"
    with foreign(lambda _: BadInput(f"an accuracy of {shown(value)}", allowed)):
        number = float(value)
    if not 0 <= number <= 100:  # nor NaN
        raise BadInput(f"an accuracy of {number}", allowed)
    return number


def main() -> None:
    """Serve until the questions end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interruption is the search's, which ends its workers
    asked, out = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # what a source reads are not the questions …
    os.dup2(2, 1)  # … nor what it prints an answer
    first = json.loads(asked.readline())
    if not end_with_parent(first["parent"]):  # where there is no prctl, the end of stdin ends an idle worker
        return
    try:
        accuracy = open_source(first["source"])
    except HwnasError as error:
        print(json.dumps({"refused": [error.got, error.allowed, error.remedy]}), file=out)
        return
    print(json.dumps({"batch": batch(accuracy)}), file=out)
    for line in asked:
        print(json.dumps(_served(accuracy, [Architecture.from_json(value) for value in json.loads(line)])), file=out)


def _served(accuracy: Accuracy, archs: Sequence[Architecture], limit: float | None = None) -> list[dict[str, Any]]:
    try:
        return answers(accuracy, archs, limit)
    except KeyboardInterrupt as raised:  # by the source: this process hears of none
        if len(archs) > 1:
            return [_served(accuracy, [arch], limit)[0] for arch in archs]
        return [{"error": why(raised), "seconds": 0.0}]


if __name__ == "__main__":
    main()
