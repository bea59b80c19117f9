"""ONNX to a serialised TensorRT or TensorRT-RTX engine.

Both are built strongly typed: every type comes from the model (`profilers.onnx.cast_precision`). TensorRT 11 and
TensorRT-RTX have no other mode; with TensorRT 10 it guarantees that the engine has the requested precision and not the
one that the builder found faster. TF32 is a precision of its own here, "tf32"; "fp32" switches it off.

TensorRT times its kernels on the GPU, so it builds for the GPU at hand. TensorRT-RTX compiles ahead of time for given
compute capabilities, on any machine, and finishes on the target when the engine is first run.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profilers.base import Status, Tensor, not_importable
from profilers.errors import BadInput, EngineUnavailable
from profilers.files import read_bytes, write_bytes
from profilers.onnx.cast_precision import Prepared, prepare
from profilers.runtimes.cuda.choice import gpu, gpu_status
from profilers.runtimes.tensorrt.manifest import BuiltEngine, RuntimeEnvironment, make_manifest

if TYPE_CHECKING:
    import tensorrt as T

PRECISIONS = ("fp32", "tf32", "fp16", "bf16", "int8")  # int8: the model arrives quantised
LEVELS = ("0", "1", "2", "3", "4", "5")  # TensorRT's builder optimisation levels


@dataclass(frozen=True)
class Product:
    """One of the two products; `ahead_of_time` is whether it builds for named targets without a GPU."""

    name: str
    package: str
    title: str
    install: str
    oldest: int
    ahead_of_time: bool


TENSORRT = Product("tensorrt", "tensorrt", "TensorRT", "pip install 'hwnas[tensorrt]'", 10, ahead_of_time=False)
TENSORRT_RTX = Product(
    "tensorrt-rtx", "tensorrt_rtx", "TensorRT-RTX", "pip install 'hwnas[rtx]'", 1, ahead_of_time=True
)


@dataclass(frozen=True)
class Settings:
    """How an engine is built.

    `targets` are compute capabilities such as "sm86", none for the GPU at hand. `timing_cache` is a file that keeps
    TensorRT's kernel timings, so that later builds are faster and choose the same kernels. `detailed` keeps the names
    that per-layer times need.
    """

    precision: str = "fp32"
    batch: int = 64
    targets: tuple[str, ...] = ()
    optimization: str = ""
    timing_cache: Path | None = None
    detailed: bool = False


def package_status(product: Product) -> Status:
    """Whether the package is installed and new enough; a GPU is not looked for."""
    try:
        trt: Any = importlib.import_module(product.package)
    except (ImportError, OSError) as error:
        return not_importable(product.package, error, product.install)
    if not hasattr(trt, "Builder"):  # type stubs alone leave a folder that can be imported and holds nothing
        return Status(False, reason=f"{product.package} is not installed, only its stubs", remedy=product.install)
    if int(trt.__version__.split(".")[0]) < product.oldest:
        reason = f"{product.package} {trt.__version__} is older than {product.oldest}.0"
        return Status(False, trt.__version__, reason, product.install)
    return Status(True, trt.__version__)


def load_package(product: Product) -> Any:
    """The Python module; EngineUnavailable where it is missing."""
    status = package_status(product)
    if not status.available:
        raise EngineUnavailable(status.reason, remedy=status.remedy)
    return importlib.import_module(product.package)


def here(product: Product) -> RuntimeEnvironment:
    """The runtime and the GPU of this machine, the latter empty where there is none."""
    version = package_status(product).version
    if not gpu_status().available:
        return RuntimeEnvironment(product.name, version)
    return RuntimeEnvironment(product.name, version, *gpu().card)


def known_targets(product: Product) -> tuple[str, ...]:
    """Compute capabilities that engines can be built for ahead of time."""
    if not product.ahead_of_time:
        return ()
    trt = load_package(product)
    return tuple(name.lower() for name in trt.ComputeCapability.__members__ if name.startswith("SM"))


def build(product: Product, model: bytes | Path, settings: Settings | None = None) -> BuiltEngine:
    """Build one engine.

    Args:
        product: TENSORRT or TENSORRT_RTX.
        model: ONNX, float32 or quantised.
        settings: precision, batch, targets, …

    Raises:
        BadInput: unknown precision, target or level, or a model that the parser or the builder refuses.
        EngineUnavailable: the package is missing, or a GPU where one is needed.
    """
    settings = settings or Settings()
    trt = load_package(product)
    original = read_bytes(model) if isinstance(model, Path) else model
    targets = _check(product, settings)
    prepared = prepare(original, settings.precision, settings.batch)
    log = logger(trt)
    started = time.perf_counter()
    data, flags = _serialise(product, trt, log, prepared, settings, targets)
    seconds = time.perf_counter() - started
    machine = here(product)
    if product.ahead_of_time:
        machine = RuntimeEnvironment(machine.runtime, machine.version)
    facts = {"flags": flags, "build_seconds": round(seconds, 3), **_facts(settings, prepared)}
    return BuiltEngine(data, make_manifest(data, original, machine, targets, **facts))


def _facts(settings: Settings, model: Prepared) -> dict[str, Any]:
    """The manifest's fields that settings and model determine."""
    return {
        "precision": settings.precision,
        "tf32": settings.precision == "tf32",
        "batch": settings.batch,
        "optimization": settings.optimization,
        "inputs": _tensors(model.inputs),
        "outputs": _tensors(model.outputs),
    }


def _tensors(tensors: Mapping[str, Tensor]) -> list[dict[str, Any]]:
    return [{"name": name, "shape": list(t.shape), "dtype": t.dtype} for name, t in tensors.items()]


def logger(trt: Any) -> Any:
    """An ILogger that keeps the errors, in `errors`, and prints nothing."""

    class Log(trt.ILogger):  # type: ignore[misc]  # the base is only known at run time
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                self.errors.append(" ".join(message.split()))

    return Log()


def refusal(product: Product, errors: list[str]) -> BadInput | EngineUnavailable:
    """The error that TensorRT logged: no usable GPU, or a model that it refuses."""
    said = errors[0] if errors else "no reason given"
    if "cudaError" in said or "Cuda Runtime" in said or "CUDA initialization" in said:
        return EngineUnavailable(f"{product.title} cannot use a GPU here: {said}", remedy=gpu_status().remedy)
    return BadInput(f"{product.title} refuses the model: {said}", "a model that it can compile for this target")


def _check(product: Product, settings: Settings) -> tuple[str, ...]:
    """The targets to build for."""
    if settings.precision not in PRECISIONS:
        raise BadInput(f"precision {settings.precision!r} on {product.name}", ", ".join(PRECISIONS))
    levels = () if product.ahead_of_time else LEVELS
    if settings.optimization not in ("", *levels):
        raise BadInput(
            f"optimization {settings.optimization!r} on {product.name}", ", ".join(levels) or "none: it has no levels"
        )
    known = known_targets(product)
    unknown = sorted(set(settings.targets) - set(known))
    if unknown:
        allowed = ", ".join(known) or "none: it builds for the GPU at hand"
        raise BadInput(f"target {', '.join(unknown)} on {product.name}", allowed)
    if settings.targets:
        return tuple(dict.fromkeys(settings.targets))
    if not (there := gpu_status()).available:
        remedy = f"hwnas export --target {' or '.join(known)}" if known else there.remedy
        raise EngineUnavailable(f"no GPU to build for: {there.reason}", remedy=remedy)
    capability = gpu().card.capability
    if known and capability not in known:
        raise EngineUnavailable(f"{product.title} has no engines for {capability}", ", ".join(known))
    return (capability,)


def _serialise(
    product: Product, trt: Any, log: Any, model: Prepared, settings: Settings, targets: tuple[str, ...]
) -> tuple[bytes, list[str]]:
    """The engine and the names of the builder's flags."""
    try:
        builder: T.Builder = trt.Builder(log)
    except TypeError as error:  # what pybind makes of a failed constructor
        raise refusal(product, log.errors) from error
    network = _parse(product, trt, log, builder, model)
    config: T.IBuilderConfig = builder.create_builder_config()
    cache: T.ITimingCache | None = _configure(product, trt, config, settings, targets)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise refusal(product, log.errors)
    if cache is not None and settings.timing_cache is not None:
        write_bytes(settings.timing_cache, bytes(cache.serialize()))
    flags = [name for name, flag in trt.BuilderFlag.__members__.items() if config.get_flag(flag)]
    return bytes(engine), flags


def _parse(product: Product, trt: Any, log: Any, builder: T.Builder, model: Prepared) -> T.INetworkDefinition:
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser: T.OnnxParser = trt.OnnxParser(network, log)
    if not parser.parse(model.data):
        first: T.ParserError = parser.get_error(0)
        where = f"{first.node_operator()} {first.node_name()}: ".lstrip() if first.node_name() else ""
        raise refusal(product, [" ".join(f"{where}{first.desc()}".split())])
    return network


def _configure(
    product: Product, trt: Any, config: T.IBuilderConfig, settings: Settings, targets: tuple[str, ...]
) -> T.ITimingCache | None:
    """Flags, targets and timing cache; the cache as it was attached."""
    if settings.precision == "tf32":
        config.set_flag(trt.BuilderFlag.TF32)
    else:
        config.clear_flag(trt.BuilderFlag.TF32)
    if settings.detailed:
        config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if settings.optimization:
        config.builder_optimization_level = int(settings.optimization)
    if product.ahead_of_time:
        _set_targets(trt, config, targets)
        return None
    return _attach_cache(config, settings.timing_cache)


def _set_targets(trt: Any, config: Any, targets: tuple[str, ...]) -> None:
    """Only TensorRT-RTX has targets; without one it builds an engine for all cards, of 700 MB."""
    config.num_compute_capabilities = len(targets)
    for index, name in enumerate(targets):
        config.set_compute_capability(getattr(trt.ComputeCapability, name.upper()), index)


def _attach_cache(config: T.IBuilderConfig, path: Path | None) -> T.ITimingCache | None:
    """The cache in the file; an empty one if there is no file or it is of another version or GPU."""
    if path is None:
        return None
    kept = read_bytes(path) if path.is_file() else b""
    cache = config.create_timing_cache(kept)
    if not config.set_timing_cache(cache, False):
        cache = config.create_timing_cache(b"")
        config.set_timing_cache(cache, False)
    return cache
