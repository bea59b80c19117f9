"""Hardware-aware deployment: profile a device, search networks for it, ship measured engines.

    cpu = hwnas.Device("onnxruntime", threads=1)
    table = cpu.build_table("mbv3", out="cpu.json")
    run = hwnas.search("mbv3", my_function, tables={"cpu_ms": table}, objectives=["top1", "madds", "cpu_ms"])
    engine = run.select("cpu_ms<=10", n=1)[0].export("openvino", out="engines/a", random_weights=True)

Whatever is named in `__all__` is a promise; it is imported when it is asked for. Every error is an `HwnasError`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hwnas.version import __version__ as __version__

_HOMES = {
    "hwnas.api.devices": ("Device", "engines"),
    "hwnas.api.device_names": ("Devices",),
    "hwnas.api.device_tables": ("build_tables",),
    "hwnas.api.tables": ("LatencyTable",),
    "hwnas.api.measured": ("MeasuredNetworks",),
    "hwnas.api.network": ("Network",),
    "hwnas.api.networks": ("Networks", "plan_networks"),
    "hwnas.api.asking": ("open_search",),
    "hwnas.api.searching": ("search_config",),
    "hwnas.api.runs": ("Run",),
    "hwnas.api.engines": ("Engine", "validate"),
    "hwnas.api.space_list": ("spaces",),
    "hwnas.api.watching": ("watch",),
    "hwnas.api.training": ("finetune", "train_supernet"),
    "hwnas.templates.kinds": ("template",),
    "hwnas.recipe.proposing": ("init",),
    "hwnas.recipe.program": ("run_recipe",),
    "hwnas.search.own_objectives": ("OwnObjective",),
    "hwnas.space": ("Architecture", "SearchSpace", "Stage", "get_space"),
    "profilers.errors": (
        "BadInput", "EngineUnavailable", "FileProblem", "FingerprintMismatch", "HwnasError", "MeasurementFailed",
        "TableError",
    ),
}  # fmt: skip
_ROOMS = (
    "compare",
    "export",
    "fetch",
    "profile",
    "search",
    "space",
)  # folders that can be called (`hwnas.api.callable_room`)
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [  # noqa: RUF022  as people read it
    "Device", "Devices", "engines", "profile", "LatencyTable", "build_tables", "MeasuredNetworks",
    "SearchSpace", "Stage", "Architecture", "get_space", "spaces", "space", "Network", "Networks", "plan_networks",
    "OwnObjective", "search", "search_config", "open_search", "Run", "watch", "compare",
    "Engine", "export", "validate", "train_supernet", "finetune", "fetch", "template",
    "init", "run_recipe",
    "HwnasError", "BadInput", "TableError", "FingerprintMismatch", "EngineUnavailable", "MeasurementFailed",
    "FileProblem",
]  # fmt: skip

if TYPE_CHECKING:
    from hwnas.api.asking import open_search as open_search
    from hwnas.api.comparing import compare as compare
    from hwnas.api.device_names import Devices as Devices
    from hwnas.api.device_tables import build_tables as build_tables
    from hwnas.api.devices import Device as Device
    from hwnas.api.devices import engines as engines
    from hwnas.api.engines import Engine as Engine
    from hwnas.api.engines import validate as validate
    from hwnas.api.exporting import export as export
    from hwnas.api.fetching import fetch as fetch
    from hwnas.api.measured import MeasuredNetworks as MeasuredNetworks
    from hwnas.api.network import Network as Network
    from hwnas.api.networks import Networks as Networks
    from hwnas.api.networks import plan_networks as plan_networks
    from hwnas.api.profiling import profile as profile
    from hwnas.api.runs import Run as Run
    from hwnas.api.searching import search as search
    from hwnas.api.searching import search_config as search_config
    from hwnas.api.space_list import spaces as spaces
    from hwnas.api.space_profile import space as space
    from hwnas.api.tables import LatencyTable as LatencyTable
    from hwnas.api.training import finetune as finetune
    from hwnas.api.training import train_supernet as train_supernet
    from hwnas.api.watching import watch as watch
    from hwnas.recipe.program import run_recipe as run_recipe
    from hwnas.recipe.proposing import init as init
    from hwnas.search.own_objectives import OwnObjective as OwnObjective
    from hwnas.space import Architecture as Architecture
    from hwnas.space import SearchSpace as SearchSpace
    from hwnas.space import Stage as Stage
    from hwnas.space import get_space as get_space
    from hwnas.templates.kinds import template as template
    from profilers.errors import BadInput as BadInput
    from profilers.errors import EngineUnavailable as EngineUnavailable
    from profilers.errors import FileProblem as FileProblem
    from profilers.errors import FingerprintMismatch as FingerprintMismatch
    from profilers.errors import HwnasError as HwnasError
    from profilers.errors import MeasurementFailed as MeasurementFailed
    from profilers.errors import TableError as TableError


def __getattr__(name: str) -> Any:
    if name in (*_ROOMS, "testing"):
        return import_module(f"hwnas.{name}")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'hwnas' has no attribute {name!r}")
    found = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
