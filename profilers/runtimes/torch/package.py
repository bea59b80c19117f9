"""The engine format of torch: `model.pt2` with its manifest, written, opened, and its part of `run.py`."""

from __future__ import annotations

import copy
import time
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from profilers.base import Loader, Options, Profiler, Session, Tensor, TorchModel
from profilers.errors import BadInput
from profilers.onnx.ports import read_static
from profilers.runtimes.stored_port import listed, ports
from profilers.runtimes.torch import aot
from profilers.runtimes.torch.levels import Call, Level
from profilers.runtimes.torch.manifest import Machine, read_manifest, write_manifest
from profilers.runtimes.torch.network import network
from profilers.runtimes.torch.place import Cpu, Cuda
from profilers.runtimes.torch.session import TorchSession

if TYPE_CHECKING:
    from torch import nn

NAME = f"model{aot.SUFFIX}"
LEVEL = "aot"

_LOAD = """\
made = js.loads((here / "{manifest}").read_text(encoding="utf-8"))
mine = torch.__version__, {capability}
its = made["torch"], made["capability"]
if mine != its:
    raise RuntimeError("{file} is for torch %s on %s; here is torch %s on %s" % (*its, *mine))
{setting}
logging.disable(logging.WARNING)  # torch remarks on compilers and GPUs that are not needed
package = torch._inductor.aoti_load_package(str(here / "{file}")).loader
def tensor(values):
    values = torch.from_numpy(np.ascontiguousarray(values)).to("{device}")
    values = values.to({kind}) if values.is_floating_point() else values
    last = made["channels_last"] and values.ndim == 4
    return values.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)
def run(feeds):
    found = package.boxed_run([tensor(feeds[x["name"]]) for x in made["inputs"]])
    return {{x["name"]: y.to("cpu", getattr(torch, x["dtype"])).numpy() for x, y in zip(made["outputs"], found)}}"""

_KINDS = {"bf16": "torch.bfloat16", "fp16": "torch.float16"}
_CAPABILITIES = {
    "cpu": "torch.backends.cpu.get_cpu_capability()",
    "cuda": '"sm%d%d" % torch.cuda.get_device_capability(0)',
}
_SETTINGS = {
    "cpu": "torch.set_num_threads({threads})",
    "cuda": "torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = {tf32}",
}


class WrittenSession(TorchSession):
    """Of a module that is compiled to a package at `path` first."""

    def __init__(self, path: Path, *arguments: Any, **settings: Any) -> None:
        self.path = path
        super().__init__(*arguments, **settings)

    def called(self, module: nn.Module, level: Level) -> Call:
        """The package, written and opened."""
        aot.write_package(module, tuple(self.values.values()), self.path, self.place.threads)
        return aot.open_package(self.path)


class OpenedSession(TorchSession):
    """Of the package at `path`."""

    def __init__(self, path: Path, *arguments: Any, **settings: Any) -> None:
        self.path = path
        super().__init__(*arguments, **settings)

    def prepared(self, module: nn.Module, level: Level) -> Call:
        """The package, as it is."""
        return aot.open_package(self.path)


class PackageEngine(Profiler):
    """A runtime's part that is about packages; the rest of it makes sessions of modules."""

    suffixes: ClassVar[tuple[str, ...]] = (aot.SUFFIX, ".json")
    engine_level: ClassVar[str] = LEVEL
    one_batch: ClassVar[bool] = True
    compiles_long: ClassVar[bool] = True
    machine_specific: ClassVar[bool] = True

    def loader(self, file: str, options: Options) -> Loader:
        """Of a package, with torch alone, only on what it is for."""
        text = _LOAD.format(
            file=file,
            manifest=Path(file).with_suffix(".json").name,
            device=self.device,
            capability=_CAPABILITIES[self.device],
            setting=_SETTINGS[self.device].format(threads=options.threads, tf32=options.precision == "tf32"),
            kind=_KINDS.get(options.precision, "values.dtype"),
        )
        version = self.status().version or "unknown"
        return Loader(
            f"torch {version}", "json as js, logging, numpy as np, torch, torch._inductor", text, "run(feeds)"
        )

    def open(self, path: Path, options: Options) -> Session:
        """A package, which brings its options, or an ONNX model."""
        if path.suffix != aot.SUFFIX:
            return self.load(path, options)
        self.require(options)
        made = read_manifest(path, self.machine())
        options = Options(options.threads, made.precision, made.batch, LEVEL)
        inputs, outputs = ports(made.inputs), tuple(ports(made.outputs))
        with self._one_line():
            level = self.level(options)._replace(channels_last=made.channels_last)
            return OpenedSession(path, None, inputs, options, level, self.running(options), outputs=outputs)

    def _compile(self, model: bytes, options: Options, gpus: tuple[str, ...], folder: Path) -> list[str]:
        proto, inputs, outputs = read_static(model, options.batch)
        return self._write(folder, gpus, network(proto), inputs, options, outputs=tuple(outputs))

    def _compile_module(self, model: TorchModel, options: Options, gpus: tuple[str, ...], folder: Path) -> list[str]:
        module = copy.deepcopy(model.module)
        inputs = {name: Tensor(values.shape, values.dtype.name) for name, values in model.feeds.items()}
        return self._write(folder, gpus, module, inputs, options, outputs=model.outputs, feeds=model.feeds)

    def _write(
        self,
        folder: Path,
        gpus: tuple[str, ...],
        module: nn.Module,
        inputs: Mapping[str, Tensor],
        options: Options,
        **about: Any,
    ) -> list[str]:
        """Compile, run once, and write the manifest."""
        if gpus:
            raise BadInput(f"target {gpus[0]} on {self.name}", "none: it compiles for what is at hand")
        if options.optimization not in ("", LEVEL):
            raise BadInput(f"an engine of {self.name} at the level {options.optimization}", LEVEL)
        options = replace(options, optimization=LEVEL)
        self.require(options)
        started, path, here = time.perf_counter(), folder / NAME, self.machine()
        session = self.session(module, inputs, options, False, kind=partial(WrittenSession, path), **about)
        with closing(session) as made:
            facts = {
                "precision": options.precision,
                "batch": options.batch,
                "threads": made.place.threads,
                "channels_last": made.channels_last,
                "inputs": listed(made.inputs),
                "outputs": listed(made.outputs),
                "build_seconds": round(time.perf_counter() - started, 3),
            }
        return [NAME, write_manifest(path, here, **facts)]

    def machine(self) -> Machine:
        """What a package is for that is compiled here."""
        from profilers.timing.fingerprint import cpu_model

        return Machine(self.name, self.status().version, self.device_name() or cpu_model(), self.capability())

    def capability(self) -> str:
        """The CPU's vector instructions, as torch names them."""
        import torch

        return str(torch.backends.cpu.get_cpu_capability())

    @abstractmethod
    def level(self, options: Options) -> Level:
        """The level that the options ask for."""

    @abstractmethod
    def running(self, options: Options) -> Cpu | Cuda:
        """Where sessions run and how they are timed."""

    @abstractmethod
    def session(
        self, module: nn.Module, inputs: Mapping[str, Tensor], *arguments: Any, **settings: Any
    ) -> TorchSession:
        """Of a module."""
