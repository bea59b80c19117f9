"""Packages of AOTInductor (`model.pt2`): a torch module compiled ahead of time, which loads without its Python code.

A package is machine code: loading one runs what is inside, so it is opened only after its hash was checked, as any
engine. It is for the version of torch that wrote it, and for CPUs with the same vector instructions or one kind of
GPU.
"""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profilers.errors import BadInput, EngineUnavailable

if TYPE_CHECKING:
    from torch import Tensor, nn

SUFFIX = ".pt2"
COMPILERS = ("g++", "c++", "clang++")  # one of which torch's compiler needs, for a GPU as well


def write_package(module: nn.Module, example: tuple[Tensor, ...], path: Path, threads: int = 0) -> None:
    """Compile a module in evaluation mode for inputs of the example's shapes, on the example's device.

    Args:
        module: left as it is.
        example: forward's positional arguments.
        path: ends in ".pt2".
        threads: of the CPU, which are compiled in; 0 for as many as torch has now.

    Raises:
        EngineUnavailable: no C++ compiler.
        BadInput: a module that torch cannot export or compile.
    """
    import torch
    from torch._inductor import aoti_compile_and_package

    require_compiler()
    try:
        with quiet(), torch.no_grad():  # freezing is refused where gradients are on
            exported = torch.export.export(module, example)
            aoti_compile_and_package(exported, package_path=str(path), inductor_configs=_settings(example, threads))
    except Exception as error:  # the compiler's errors have no common base
        said = (str(error).splitlines() or [""])[0]
        raise BadInput(
            f"torch cannot compile the module ahead of time: {type(error).__name__}: {said}",
            "a module that torch.export takes",
        ) from error


def open_package(path: Path) -> Callable[..., Any]:
    """The compiled module: it takes tensors as forward does, gives a list of them, and serves one thread at a time.

    torch's own call of a package reads the form of its arguments from text each time, for some fifty microseconds; here
    it is tensors one after the other.

    Raises:
        BadInput: no package, or one that this torch cannot load.
    """
    from torch._inductor import aoti_load_package

    try:
        with quiet():
            loader = aoti_load_package(str(path), run_single_threaded=True).loader
    except RuntimeError as error:
        said = (str(error).splitlines() or [""])[0]
        raise BadInput(f"torch cannot load {path.name}: {said}", remedy="build it again here (--rebuild)") from error
    return lambda *tensors: loader.boxed_run(list(tensors))


def require_compiler() -> None:
    """EngineUnavailable where there is none."""
    if not any(map(shutil.which, COMPILERS)):
        raise EngineUnavailable("torch compiles with a C++ compiler", ", ".join(COMPILERS), "apt-get install g++")


def _settings(example: tuple[Tensor, ...], threads: int) -> dict[str, Any]:
    """Of the compiler: no pool of processes, which would outlive it, and on a CPU weights in oneDNN's own layout."""
    on_cpu = all(tensor.device.type == "cpu" for tensor in example)
    found: dict[str, Any] = {"compile_threads": 1, "freezing": on_cpu}
    return {**found, "cpp.threads": threads} if threads else found


@contextmanager
def quiet() -> Iterator[None]:
    """Without the compiler's remarks, on a CUDA that is not there among others."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
