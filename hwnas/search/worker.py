"""An evaluation, wherever it runs; and a process that does one after another: `python -m hwnas.search.worker`.

Both directions are lines of JSON. In: first {"source": text, "parent": process id}, then one architecture a line. Out:
first {} when the accuracy source is open, or {"refused": [got, allowed, remedy]}, then one answer a line: {"top1":
percent, "seconds": …} or {"error": text, "seconds": …}. What evaluations print goes to stderr.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from hwnas.accuracy import Accuracy, open_accuracy
from hwnas.accuracy.unit import UnusableSource
from hwnas.search.kept_weights import keeping
from hwnas.space import Architecture, stored_space
from profilers.errors import BadInput, HwnasError
from profilers.isolate import end_with_parent


@lru_cache(maxsize=1)
def open_source(text: str) -> Accuracy:
    """The accuracy source that `Config.source` describes, opened once a process."""
    source = json.loads(text)
    about = source["resolutions"], source["classes"]
    space = stored_space(source["space"], source["definition"], *about, where="the search")
    return keeping(open_accuracy(source["accuracy"], space, source["evaluate"]), source["keep"])


def answer(accuracy: Accuracy, arch: Architecture) -> dict[str, Any]:
    """{"top1" and "images", or "error"; "seconds"}: a network that cannot be evaluated is a failure of that network.

    {"refused"} if the source as a whole cannot be used.
    """
    return answers(accuracy, [arch])[0]


def answers(accuracy: Accuracy, archs: Sequence[Architecture]) -> list[dict[str, Any]]:
    """As `answer`, of several that are evaluated at once; each takes its share of the seconds."""
    start = time.perf_counter()
    try:
        values = _evaluated(accuracy, archs)
    except UnusableSource as error:
        return [{"refused": [error.got, error.allowed, error.remedy]}] * len(archs)
    seconds, images = (time.perf_counter() - start) / len(archs), getattr(accuracy, "images", None)
    return [{**_found(value, images), "seconds": seconds} for value in values]


def _evaluated(accuracy: Any, archs: Sequence[Architecture]) -> list[float | Exception]:
    if hasattr(accuracy, "evaluate_batch"):
        return list(accuracy.evaluate_batch(archs))
    try:
        return [accuracy.evaluate(arch) for arch in archs]
    except UnusableSource:
        raise
    except Exception as problem:  # a source can raise anything
        return [problem]


def _found(value: float | Exception, images: int | None) -> dict[str, Any]:
    if isinstance(value, Exception):
        return {"error": f"{type(value).__name__}: {value}"}
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
    return answer(accuracy, Architecture.from_json(value))


def check_open(found: Mapping[str, Any]) -> None:
    """BadInput if a worker could not open or use the source."""
    if "refused" in found:
        raise BadInput(*found["refused"])


def percentage(value: float) -> float:
    """`value` if it is a percentage, else BadInput."""
    if not math.isfinite(value) or not 0 <= value <= 100:
        raise BadInput(f"an accuracy of {value}", "a percentage from 0 to 100")
    return float(value)


def main() -> None:
    """Serve until stdin ends."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a source prints must not be taken for an answer
    first = json.loads(sys.stdin.readline())
    if not end_with_parent(first["parent"]):  # where there is no prctl, the end of stdin ends an idle worker
        return
    try:
        accuracy = open_source(first["source"])
    except HwnasError as error:
        print(json.dumps({"refused": [error.got, error.allowed, error.remedy]}), file=out)
        return
    print("{}", file=out)
    for line in sys.stdin:
        print(json.dumps(answer(accuracy, Architecture.from_json(json.loads(line)))), file=out)


if __name__ == "__main__":
    main()
