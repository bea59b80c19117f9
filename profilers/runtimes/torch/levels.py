"""How torch runs a module: the levels of `Options.optimization`.

eager    operator by operator, as a module is called
graph    the same kernels, launched as one CUDA graph (on a GPU, where it is the default)
compile  torch.compile, which fuses operators and needs a compiler
aot      AOTInductor: exported and compiled ahead of time into a package that needs none of the model's Python code

What is compiled is launched as a CUDA graph where it captures. At the level graph a network of a search space that
does not capture is refused; a user's module is then run eagerly, which is said, unless the level was asked for.

Networks of a search space have the layout channels_last, which convolutions are quickest in; `-nchw` are the same in
torch's usual layout, as most published tables are. A user's own module keeps its layout.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from profilers import temporary
from profilers.errors import BadInput
from profilers.runtimes.torch import aot

if TYPE_CHECKING:
    from torch import Tensor, nn

Call = Callable[..., Any]


class Level(NamedTuple):
    """How a module is run; `captured` as a CUDA graph if it can be, `required`: and refused if it cannot."""

    how: str
    channels_last: bool = True
    captured: bool = False
    required: bool = False

    @property
    def traces(self) -> bool:
        """Whether single layers can be timed: compiled code has no ranges, and has fused what they would part."""
        return self.how == "eager"


CPU = {
    "eager": Level("eager"),
    "eager-nchw": Level("eager", channels_last=False),
    "compile": Level("compile"),
    "aot": Level("aot"),
}
CUDA = {
    "graph": Level("eager", captured=True, required=True),
    "graph-nchw": Level("eager", channels_last=False, captured=True, required=True),
    "eager": Level("eager"),
    "eager-nchw": Level("eager", channels_last=False),
    "compile": Level("compile", captured=True),
    "aot": Level("aot", captured=True),
}


def callable_of(module: nn.Module, examples: tuple[Tensor, ...], level: Level, threads: int) -> Call:
    """What runs the module; compiling takes half a minute and more.

    Raises:
        EngineUnavailable: a compiler is missing. BadInput: it refuses the module.
    """
    if level.how == "eager":
        return module
    aot.require_compiler()
    return _compiled(module, examples) if level.how == "compile" else _packaged(module, examples, threads)


def _compiled(module: nn.Module, examples: tuple[Tensor, ...]) -> Call:
    """Compiled at once, by a first call."""
    import torch
    from torch._inductor import config

    config.compile_threads = 1  # the pool of compiling processes would outlive the compilation
    compiled: Call = torch.compile(module, dynamic=False)
    try:
        with aot.quiet(), torch.inference_mode():
            compiled(*examples)
    except Exception as error:  # the compiler's errors have no common base
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BadInput(f"torch cannot compile the module: {said}", "the level eager") from error
    return compiled


def _packaged(module: nn.Module, examples: tuple[Tensor, ...], threads: int) -> Call:
    """Through a package in a temporary folder."""
    with temporary.scratch("aot") as folder:
        path = Path(folder) / f"model{aot.SUFFIX}"
        aot.write_package(module, examples, path, threads)
        return aot.open_package(path)
