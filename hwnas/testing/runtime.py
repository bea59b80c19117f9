"""The contract of a runtime: what profiling, tables and export take for granted of it.

The oracle of its answers is `onnx.reference`, ONNX's own evaluator in NumPy.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from hwnas.testing import models
from profilers.base import Options, Profiler, Session, Status, Tensor
from profilers.errors import EngineUnavailable, HwnasError
from profilers.onnx.quantise import QuantConfig, insert_qdq
from profilers.registry import get_profiler, register
from profilers.session import default_feeds

TOLERANCE = {"fp32": 1e-4, "tf32": 1e-2, "fp16": 1e-2, "bf16": 5e-2, "int8": 0.1}
"""Largest difference from the reference, as a share of the largest output."""
OTHER_TOLERANCE = 0.05
RUNS, SECONDS = 5, 120
Feeds = Mapping[str, NDArray[Any]]

_ALONE = """\
import pathlib, sys
import numpy as np
import {imports}
here = pathlib.Path(sys.argv[1])
feeds = dict(np.load(here / "feeds.npz"))
{load}
np.savez(here / "outputs.npz", **({call}))
"""


def check_runtime(runtime: str | type[Profiler], precisions: Sequence[str] | None = None) -> None:
    """Check a runtime; an AssertionError says what does not hold.

    Args:
        runtime: a name, `python:module:Class`, or a class.
        precisions: to check, by default all that the device has.

    Raises:
        AssertionError: the contract is broken. EngineUnavailable: the runtime does not work here, so that nothing but
            its status could be checked.

    >>> check_runtime("onnxruntime", ["fp32"])
    """
    profiler = get_profiler(runtime if isinstance(runtime, str) else register(runtime))
    status = _check_status(profiler)
    if not status.available:
        _check_unavailable(profiler)
        raise EngineUnavailable(status.reason, remedy=status.remedy)
    for make in (models.chain, models.two_inputs, *(() if profiler.own_onnx else (models.tokens,))):
        _check_answers(profiler, make())
    for precision in precisions or profiler.supported_precisions():
        _check_precision(profiler, precision)
    _check_batch(profiler)
    _check_sources(profiler)
    _check_refusals(profiler)
    _check_inputs(profiler)
    _check_nodes(profiler)
    _check_closing(profiler)
    with tempfile.TemporaryDirectory(prefix="hwnas-check-") as folder:
        files = _check_files(profiler, Path(folder))
        if profiler.ships():
            _check_loader(profiler, Path(folder), files[0])


def _check_status(profiler: Profiler) -> Status:
    """It never raises, and says the version, or what is missing and what mends it."""
    status = profiler.status()
    assert isinstance(status, Status), f"status gives {status!r}, no Status"
    if status.available:
        assert status.version, "an available runtime has no version"
        lacking = set(profiler.supported_precisions()) - set(profiler.precisions)
        assert not lacking, f"supported_precisions has {sorted(lacking)}, which precisions has not"
        assert profiler.supported_precisions(), "an available runtime has no precision"
    else:
        assert status.reason and status.remedy, "an unavailable runtime says neither why nor what mends it"
    return status


def _check_unavailable(profiler: Profiler) -> None:
    with _refused("loading with an unavailable runtime", profiler.status().reason):
        profiler.load(models.chain())


def _check_answers(profiler: Profiler, model: bytes) -> None:
    """On inputs by default and on drawn ones; answers are copies, and later runs do not change them."""
    graph, rng = onnx.load_model_from_string(model).graph, np.random.default_rng(3)
    with profiler.load(model) as session:
        assert list(session.inputs) == [t.name for t in graph.input], f"inputs {list(session.inputs)}"
        assert list(session.outputs) == [t.name for t in graph.output], f"outputs {list(session.outputs)}"
        session.run()
        first = _compare(session, model, default_feeds(session.inputs), TOLERANCE["fp32"])
        kept = {name: values.copy() for name, values in first.items()}
        _compare(session, model, {name: _drawn(t, rng) for name, t in session.inputs.items()}, TOLERANCE["fp32"])
        session.run()
        assert all(np.array_equal(first[name], kept[name]) for name in kept), "a later run changes earlier outputs"


def _compare(session: Session, model: bytes, feeds: Feeds, tolerance: float) -> dict[str, NDArray[Any]]:
    """The session's outputs, which have the names, shapes and types that it states and the reference's values."""
    found = session.run_on(feeds)
    stated = {name: Tensor(tuple(values.shape), str(values.dtype)) for name, values in found.items()}
    assert stated == session.outputs, f"outputs {stated}, stated as {session.outputs}"
    expected = ReferenceEvaluator(onnx.load_model_from_string(model)).run(None, dict(feeds))
    for name, wanted in zip(session.outputs, expected, strict=True):
        off = float(np.abs(found[name].astype(np.float64) - wanted).max() / np.abs(wanted).max())
        assert off <= tolerance, f"output {name} is off by {off:.2g} of its largest value; allowed: {tolerance:g}"
    return found


def _drawn(tensor: Tensor, rng: np.random.Generator) -> NDArray[Any]:
    if tensor.dtype == "float32":
        return rng.standard_normal(tensor.shape, np.float32)
    return rng.integers(0, 2 if tensor.dtype == "bool" else 10, tensor.shape).astype(tensor.dtype)


def _check_precision(profiler: Profiler, precision: str) -> None:
    """Close to the reference, which computes in float32; in int8 to that of the quantised model."""
    model = models.chain(opset=19)  # of which the reference has the quantised operators
    if precision == "int8":
        model = insert_qdq(model, config=QuantConfig(symmetric=True) if profiler.gpu else QuantConfig.for_this_cpu())
    with profiler.load(model, Options(precision=precision)) as session:
        _compare(session, model, default_feeds(session.inputs), TOLERANCE.get(precision, OTHER_TOLERANCE))


def _check_batch(profiler: Profiler) -> None:
    """A dynamic one is set; another than a static one is refused."""
    model = models.chain(batch=None)
    for batch in (1, 3):
        with profiler.load(model, Options(batch=batch)) as session:
            assert session.input_shape[0] == session.output_shape[0] == batch, f"batch {batch} was not set"
            _compare(session, model, default_feeds(session.inputs), TOLERANCE["fp32"])
    with _refused("batch 2 of a model of batch 1", "1"):
        profiler.load(models.chain(), Options(batch=2))


def _check_sources(profiler: Profiler) -> None:
    """A file is the same as its bytes."""
    with tempfile.TemporaryDirectory(prefix="hwnas-check-") as folder:
        path = Path(folder) / "model.onnx"
        path.write_bytes(models.chain())
        with profiler.load(path) as session:
            _compare(session, models.chain(), default_feeds(session.inputs), TOLERANCE["fp32"])
        with _refused("a missing file", "absent.onnx"):
            profiler.load(Path(folder) / "absent.onnx")


def _check_refusals(profiler: Profiler) -> None:
    """What it cannot run is refused in one line."""
    for what, model in {"an empty model": b"", "no ONNX": b"garbage", "a cut model": models.chain()[:-200]}.items():
        with _refused(what):
            profiler.load(model)
    with _refused("a model of dynamic size"):
        profiler.load(models.dynamic_size())
    with _refused("an unknown precision", profiler.precisions[0]):
        profiler.load(models.chain(), Options(precision="fp7"))
    for precision in set(profiler.precisions) - set(profiler.supported_precisions()):
        with _refused(f"{precision}, which the device lacks", precision):
            profiler.load(models.chain(), Options(precision=precision))
    with _refused("an unknown level of optimisation", "sometimes"):
        profiler.load(models.chain(), Options(optimization="sometimes"))
    if profiler.own_onnx:
        with _refused("an ONNX model that hwnas did not write", "module"):
            profiler.load(models.tokens())
    if not profiler.traces:
        with _refused("tracing with a runtime that does not trace", "isolated"):
            profiler.load(models.chain(), traced=True)


def _check_inputs(profiler: Profiler) -> None:
    """Inputs of other names, shapes and kinds are refused; images are for one float input."""
    with profiler.load(models.two_inputs() if profiler.own_onnx else models.tokens()) as session:
        right = default_feeds(session.inputs)
        first, values = next(iter(right.items()))
        wrong: dict[str, Feeds] = {
            "a missing input": {first: values},
            "an unknown input": {**right, "more": np.zeros(1)},
            "another shape": {**right, first: values[:, 1:]},
            "another kind of number": {**right, first: values.astype(np.complex64)},
        }
        if first == "tokens":
            wrong["fractions for tokens"] = {**right, first: values.astype(np.float32)}
        for what, feeds in wrong.items():
            with _refused(what):
                session.run_on(feeds)
        with _refused("images for two inputs", ", ".join(right)):
            session.infer(np.zeros((1, 5), np.float32))


def _check_nodes(profiler: Profiler) -> None:
    """Per-node times have names of the ONNX and add up to no more than the runs; untraced there are none."""
    with profiler.load(models.chain()) as session, _refused("node times of a session that was not traced"):
        session.run()
        session.node_times()
    if not profiler.traces:
        return
    model = models.chain() if profiler.own_onnx else models.tokens()
    names = [node.name for node in onnx.load_model_from_string(model).graph.node]
    with profiler.load(model, traced=True) as session:
        for runs in (RUNS, 2):  # and again: tracing goes on after it was read
            start = session.clock.wall()
            for _ in range(runs):
                session.run()
            _check_times(session.node_times(), runs, 1e3 * (session.clock.wall() - start), names)
        _check_details(session, names)


def _check_times(times: Sequence[Mapping[str, float]], runs: int, elapsed: float, names: Sequence[str]) -> None:
    assert len(times) == runs, f"{len(times)} dicts of node times after {runs} runs"
    unknown = sorted({name for run in times for name in run} - set(names))
    assert not unknown, f"node times of {', '.join(unknown)}, which the ONNX has not"
    rounding = 0.01 * sum(map(len, times))  # counters are whole microseconds, of several runs together
    total = sum(sum(run.values()) for run in times)
    assert 0 < total <= 1.01 * elapsed + rounding, f"nodes of {total:.3f} ms in runs of {elapsed:.3f} ms"


def _check_details(session: Session, names: Sequence[str]) -> None:
    """Where the runtime says what it fused, every node is in one place."""
    details = session.node_details()
    behind = [node for detail in details.values() for node in detail.nodes]
    assert not details or set(behind) <= set(names), f"details of unknown nodes {sorted(set(behind) - set(names))}"
    assert all(detail.op for detail in details.values()), "a detail without an operator"


def _check_closing(profiler: Profiler) -> None:
    session = profiler.load(models.chain(), traced=profiler.traces)
    session.run()
    session.close()
    session.close()  # twice is harmless


def _check_files(profiler: Profiler, folder: Path) -> list[str]:
    """What was compiled and opened again answers as the model; the engine's files."""
    model, options = models.chain(), Options(batch=1)
    (folder / "model.onnx").write_bytes(model)
    files = profiler.compile(model, options, (), folder) if profiler.compiles else ["model.onnx"]
    suffixes = [Path(file).suffix for file in files]
    assert suffixes == list(profiler.suffixes), f"compile wrote {files}, of suffixes {profiler.suffixes}"
    missing = [file for file in files if not (folder / file).is_file()]
    assert not missing, f"compile did not write {', '.join(missing)}"
    with profiler.open(folder / files[0], options) as session:
        _compare(session, model, default_feeds(session.inputs), TOLERANCE["fp32"])
    if profiler.compiles:
        with _refused("compiling no ONNX"):
            profiler.compile(b"garbage", options, (), folder)
    return files


def _check_loader(profiler: Profiler, folder: Path, file: str) -> None:
    """The shipped part runs in a process of its own and answers as the model."""
    feeds = default_feeds({"input": Tensor((1, 3, 12, 12), "float32")})
    np.savez(folder / "feeds.npz", input=feeds["input"])
    text = _ALONE.format(**profiler.loader(file, Options())._asdict())
    compile(text, "the loader", "exec")
    (folder / "alone.py").write_text(text)
    command = [sys.executable, str(folder / "alone.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert not done.returncode, f"the loader fails: {done.stderr.strip().rpartition(chr(10))[2]}"
    (expected,) = ReferenceEvaluator(onnx.load_model_from_string(models.chain())).run(None, feeds)
    with np.load(folder / "outputs.npz") as found:
        assert list(found) == ["output"], f"the loader gives {list(found)}, not ['output']"
        off = float(np.abs(found["output"] - expected).max() / np.abs(expected).max())
    assert off <= TOLERANCE["fp32"], f"the loader's output is off by {off:.2g} of its largest value"


@contextmanager
def _refused(what: str, word: str = "") -> Iterator[None]:
    """Inside, an HwnasError must be raised, whose line has the word."""
    try:
        yield
    except HwnasError as error:
        said = str(error)
        assert said and "\n" not in said, f"{what} is refused in several lines: {said}"
        assert word in said, f"{what} is refused without saying {word!r}: {said}"
    except Exception as error:
        raise AssertionError(f"{what} ends in {type(error).__name__}: {error}; allowed: an HwnasError") from error
    else:
        raise AssertionError(f"{what} is not refused")
