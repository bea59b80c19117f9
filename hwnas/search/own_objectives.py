"""Objectives beside accuracy, params, multiply-adds and latency: built in, from packages, and a user's own.

[objective.NAME] in a configuration says where its values come from:

    source = "layers:module:function"     a cost of each layer: a `LayerSpec` in, a number out; added up and looked up
    source = "network:module:function"    of a whole network: a dict in (`network_view` says which), a number out
    source = "table:FILE"                 a table of layers' costs, as `lut` writes it
    source = "python:module:NAME"         an `OwnObjective`, or a function that gives one
    source = "NAME"                       an entry point of the group hwnas.objectives, which is one of these
    source = "given"                      the program itself brings it

Without a source NAME is that of a built-in one (weight_bytes, peak_memory) or of an entry point. A module is beside the
configuration, in a FOLDER/, or installed. A function of a network is called for some ten thousand networks an
iteration: it should take less than a millisecond and must give the same network the same value. A network for which it
fails is left out of the search (`network_values`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Interval, MaxLen

from hwnas.space.layer import LayerSpec
from profilers.constraints import Name, OneOf, Text
from profilers.errors import BadInput
from profilers.plugins import PREFIX, Registry, load_object
from profilers.reasons import foreign

LAYERS, NETWORK, TABLE, GIVEN = "layers", "network", "table", "given"
DIRECTIONS = ("minimise", "maximise")
PRECISIONS = ("fp32", "fp16", "bf16", "int8")
Unit = Annotated[str, MaxLen(30)]
Direction = Annotated[str, OneOf(DIRECTIONS)]
Seconds = Annotated[float, Interval(gt=0, le=10**7)]
SECONDS = 60.0  # a thousand times what makes a search slow


@dataclass(frozen=True)
class OwnObjective:
    """An objective, whoever brings it: a cost of each layer, or of a whole network.

    Args:
        name: what it is called in configurations, budgets and archives.
        layers: a `LayerSpec` to its cost in `unit`; a network costs their sum, or with `combine="largest"` the largest.
        network: a dict to the network's value, see `network_view`.
        unit: for people.
        direction: "minimise" or "maximise".
        note: what should be known of its values.
        combine: "sum" or "largest", of layers.
        timeout: seconds that `network` may take for one network, which is then left out.

    Raises:
        BadInput: not exactly one of `layers` and `network`, or anything of another form.

    >>> OwnObjective("energy_mj", layers=lambda layer: 4.6e-9 * layer.madds, unit="mJ").direction
    'minimise'
    """

    name: str
    layers: Callable[[LayerSpec], float] | None = None
    network: Callable[[dict[str, Any]], float] | None = None
    unit: str = ""
    direction: str = "minimise"
    note: str = ""
    combine: str = "sum"
    timeout: float = SECONDS

    def __post_init__(self) -> None:
        _check_stated(_Stated(self.name, self.unit, self.direction, self.note, self.combine, self.timeout))
        if not all(x is None or callable(x) for x in (self.layers, self.network)):
            raise BadInput(f"objective {self.name}: what is no function", "layers or network as a function")
        if (self.layers is None) == (self.network is None):
            raise BadInput(f"objective {self.name} with {'both' if self.layers else 'neither'}", "layers or network")


@dataclass(frozen=True)
class _Stated:
    """What an `OwnObjective` says of itself, to be checked."""

    name: Name
    unit: Unit
    direction: Direction
    note: Text
    combine: Annotated[str, OneOf(("sum", "largest"))]
    timeout: Seconds


def _check_stated(stated: _Stated) -> None:
    from profilers.validation import check_fields

    check_fields(stated)


@dataclass(frozen=True)
class ObjectiveSettings:
    """Section [objective.NAME]."""

    source: Text | None = None
    """layers:module:function, network:module:function, table:FILE, python:module:NAME, or a name; by default NAME."""
    unit: Unit | None = None
    """For people, as in mJ; by default that of the source."""
    direction: Direction | None = None
    """minimise or maximise; by default that of the source, else minimise."""
    note: Text = ""
    """What should be known of its values."""
    precision: Annotated[str, OneOf(PRECISIONS)] | None = None
    """Of weight_bytes and peak_memory; by default fp32."""
    timeout: Seconds | None = None
    """Seconds that network:module:function may take for one network, which is then left out; by default 60."""

    def __post_init__(self) -> None:
        from profilers.validation import check_fields

        check_fields(self)
        kind, _, rest = (self.source or "").partition(":")
        if kind in (LAYERS, NETWORK) and ":" not in rest.removeprefix(PREFIX):
            raise BadInput(f"source {self.source!r}", f"{kind}:module:function")

    @property
    def table(self) -> Path | None:
        """The table's file, where the source is one."""
        kind, _, rest = (self.source or "").partition(":")
        return Path(rest) if kind == TABLE and rest else None


def _check(name: str, value: Any) -> None:
    if not (isinstance(value, OwnObjective) or callable(value)):
        raise BadInput(f"objective {name} is {type(value).__name__}", "an OwnObjective, or a function that gives one")


OBJECTIVES: Registry[Any] = Registry(
    "hwnas.objectives",
    "objective",
    {"weight_bytes": "hwnas.search.memory:weight_bytes", "peak_memory": "hwnas.search.memory:peak_memory"},
    _check,
)
BUILT_IN = ("weight_bytes", "peak_memory")


def find(
    name: str,
    sections: Mapping[str, ObjectiveSettings],
    given: Mapping[str, OwnObjective] | None = None,
) -> OwnObjective:
    """The objective of that name, as its section says; runs the user's own code where that names a module.

    Raises:
        BadInput: an unknown name or source, or a module that cannot be imported.
    """
    section = sections.get(name, ObjectiveSettings())
    found = _found(name, section, given or {})
    changes = {
        "unit": found.unit if section.unit is None else section.unit,
        "direction": section.direction or found.direction,
        "note": section.note or found.note,
    }
    limit = found.timeout if section.timeout is None else section.timeout
    return OwnObjective(name, found.layers, found.network, combine=found.combine, timeout=limit, **changes)


def _found(name: str, section: ObjectiveSettings, given: Mapping[str, OwnObjective]) -> OwnObjective:
    source = section.source or name
    kind, _, rest = source.partition(":")
    options = {"precision": section.precision} if section.precision else {}
    if name in given:
        return given[name]
    if source == GIVEN:
        raise BadInput(f"objective {name} came from the program that started this search", "to go on from that program")
    if kind in (LAYERS, NETWORK):
        function = load_object(rest.removeprefix(PREFIX))
        if not callable(function):
            raise BadInput(f"objective {name}: {rest} is not a function")
        return OwnObjective(name, **{kind: function})
    return _made(name, OBJECTIVES.find(source), options)


def _made(name: str, value: Any, options: Mapping[str, Any]) -> OwnObjective:
    if isinstance(value, OwnObjective):
        if options:
            raise BadInput(f"option {next(iter(options))} of objective {name}", "none")
        return value
    allowed = inspect.signature(value).parameters
    if unknown := [option for option in options if option not in allowed]:
        raise BadInput(f"option {unknown[0]} of objective {name}", ", ".join(allowed) or "none")
    with foreign(lambda said: BadInput(f"objective {name} cannot be made: {said}")):
        made = value(**options)
    if not isinstance(made, OwnObjective):
        raise BadInput(f"objective {name} gave {type(made).__name__}", "an OwnObjective")
    return made


def resolve(section: ObjectiveSettings, folder: Path) -> ObjectiveSettings:
    """The same with its file, or its module's folder, as an absolute path; relative ones are in `folder`."""
    from dataclasses import replace

    kind, _, rest = (section.source or "").partition(":")
    if kind not in (LAYERS, NETWORK, TABLE, "python"):
        return section
    return replace(section, source=f"{kind}:{(folder / rest.removeprefix(PREFIX)).absolute()}")


def same_source(one: ObjectiveSettings, other: ObjectiveSettings) -> bool:
    """Whether two sections say the same, wherever their module or file lies and however long it may take."""
    from dataclasses import replace

    a, b = (replace(x, source=_without_folder(x.source), timeout=None) for x in (one, other))
    return a == b


def _without_folder(source: str | None) -> str | None:
    kind, found, rest = (source or "").partition(":")
    return f"{kind}:{Path(rest).name}" if found and kind != TABLE else kind if found else source
