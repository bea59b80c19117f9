"""What a budget leaves of a space, before anything is evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from hwnas.api.configured import table_file
from hwnas.api.display import Printable, table
from hwnas.api.spaces import Resolutions, space_of
from hwnas.api.tables import LatencyTable
from hwnas.search.made_objectives import made
from hwnas.search.nearest import nearest
from hwnas.search.objectives import COUNTS, Objective, make_objectives
from hwnas.search.own_objectives import OBJECTIVES, find
from hwnas.search.problem import check_budget
from hwnas.select.parse import parse_budget
from hwnas.space import SearchSpace, SpaceProfile
from hwnas.space.overview import NEAR, WEIGHTED
from profilers import temporary
from profilers.errors import BadInput

HEADER = ("objective", "unit", "smallest", "quartile", "median", "quartile", "largest")


@dataclass(frozen=True)
class Nearest:
    """The network found that comes nearest to the budget, and what it costs; `keeps`: it is within."""

    arch: Mapping[str, Any]
    values: Mapping[str, float]
    keeps: bool


class SpaceFacts(Printable):
    """A space's profile; `nearest` where no network that was drawn keeps the budget; `remarks` say what is what."""

    def __init__(self, profile: SpaceProfile, closest: Nearest | None, notes: Sequence[str]) -> None:
        self.profile, self.nearest, self.notes = profile, closest, list(notes)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return self.profile.to_json() | {"nearest": asdict(self.nearest) if self.nearest else None}

    @property
    def remarks(self) -> Sequence[str]:
        """See `Printable`."""
        return self.notes

    def table(self) -> Table:
        """See `Printable`."""
        rows = []
        for name, s in self.profile.objectives.items():
            values = (s.smallest, s.lower_quartile, s.median, s.upper_quartile, s.largest)
            rows.append((name, s.unit, *(_number(value) for value in values)))
        return table(f"{self.profile.space}: {_size(self.profile.size)} networks", HEADER, rows=rows)


def space(
    space: str | SearchSpace,
    *,
    tables: Mapping[str, LatencyTable | Path | str] | None = None,
    budget: Sequence[str] | Mapping[str, float] = (),
    resolutions: Resolutions = None,
    classes: int | None = None,
) -> SpaceFacts:
    """What networks of a space cost, and how many of them keep a budget; nothing is evaluated.

    Extremes are exact, quartiles are of 100,000 networks, each as likely as any other, or of all of a small space.
    The share of a budget that few of these keep is estimated from others that are drawn near it, by importance
    sampling. Latencies are judged by their point prediction. Takes about half a second.

    Args:
        space: a name, a path to a space's TOML, `python:module:NAME`, or a `SearchSpace`.
        tables: latency tables (objects or files) by the name of their objective.
        budget: limits, as in ["cpu_ms<=10", "params<=5M"], or by name.
        resolutions: other ones than the space's.
        classes: another number of classes than the space's.

    Raises:
        BadInput: an unknown space or objective, a limit that cannot be read. TableError: a table of another space.

    Example:
        >>> import hwnas
        >>> found = hwnas.space("tiny", budget=["params<=60k"])
        >>> found.profile.size, round(found.profile.share.value, 1), found.nearest
        (2746766295, 0.3, None)
    """
    chosen = space_of(space, resolutions, classes)
    objectives = _objectives(chosen, tables or {}, budget)
    limits = dict(budget) if isinstance(budget, Mapping) else dict(parse_budget(text, objectives) for text in budget)
    _check(limits, objectives)
    profile = chosen.profile(objectives, limits)
    closest = _nearest(chosen, objectives, limits) if limits and not profile.share.value else None
    return SpaceFacts(profile, closest, [*_impossible(limits, objectives), *_notes(profile, closest)])


def lines(chosen: SearchSpace, objectives: Mapping[str, Objective], budget: Mapping[str, float]) -> list[str]:
    """Two lines of it, for a search that begins; own functions of networks, which may take long, are left out."""
    quick = {
        name: o for name, o in objectives.items() if o.evaluate is not None and np.isfinite([o.least, o.most]).all()
    }
    profile = chosen.profile(quick, {name: limit for name, limit in budget.items() if name in quick})
    spans = [
        f"{n} {_number(s.smallest)} to {_number(s.largest)} {s.unit}".rstrip() for n, s in profile.objectives.items()
    ]
    kept = _kept(profile) if profile.budget else "no budget"
    return [f"space {chosen.name}, {_size(profile.size)} networks: {', '.join(spans)}", kept]


def _objectives(
    chosen: SearchSpace, tables: Mapping[str, LatencyTable | Path | str], budget: Sequence[str] | Mapping[str, float]
) -> dict[str, Objective]:
    """Params, madds, those of tables, and what is built in and has a limit."""
    named = " ".join(budget)
    own = {name: made(chosen, find(name, {}, {})) for name in OBJECTIVES if name in named}
    with temporary.scratch("tables") as place:
        files = {name: table_file(name, value, Path(place)) for name, value in tables.items()}
        return make_objectives(chosen, [*COUNTS, *files, *own], files, own=own)


def _check(limits: Mapping[str, float], objectives: Mapping[str, Objective]) -> None:
    for name, limit in limits.items():
        if name not in objectives:
            raise BadInput(f"unknown objective {name!r}", ", ".join(objectives))
        if not limit > 0:
            raise BadInput(f"budget {name} = {limit}", "a number above 0")


def _impossible(limits: Mapping[str, float], objectives: Mapping[str, Objective]) -> list[str]:
    """A line for each limit that no network keeps, with the nearest that one does."""
    found = []
    for name, limit in limits.items():
        try:
            check_budget(objectives[name], limit)
        except BadInput as error:
            found.append(f"{error.got}; nearest possible: {error.allowed}")
    return found


def _nearest(chosen: SearchSpace, objectives: Mapping[str, Objective], limits: Mapping[str, float]) -> Nearest:
    genes, over = nearest(chosen, objectives, limits, np.random.default_rng(0))
    values = {name: float(o.evaluate(genes)[0]) for name, o in objectives.items() if o.evaluate is not None}
    return Nearest(chosen.decode(genes)[0].to_json(), values, over <= 0)


def _notes(profile: SpaceProfile, closest: Nearest | None) -> list[str]:
    notes = [_kept(profile)] if profile.budget else []
    if closest is not None:
        costs = ", ".join(f"{name} {_number(value)}" for name, value in closest.values.items())
        how = "one that was looked for does" if closest.keeps else "nearest network found"
        notes.append(f"{how}: {costs}")
    sampled = "all networks" if profile.exact else f"{profile.looked_at:,} networks, each as likely as any other"
    if profile.share.how == WEIGHTED:
        return [*notes, f"quartiles: of {sampled}; share: {WEIGHTED}, of {NEAR:,} drawn near the budget; "
                "smallest and largest: exact"]  # fmt: skip
    return [*notes, f"quartiles and share: of {sampled}; smallest and largest: exact"]


def _kept(profile: SpaceProfile) -> str:
    limits = ", ".join(f"{name} {_number(limit)}" for name, limit in profile.budget.items())
    share = profile.share
    if share.value == 0 and not profile.exact:
        return f"within {limits}: none of {profile.looked_at:,} networks (fewer than {100 * share.high:.2g} %)"
    interval = "" if profile.exact else f" ({100 * share.low:.3g} to {100 * share.high:.3g})"
    many = f", about {_size(_rounded(share.value * profile.size))}" if share.how == WEIGHTED else ""
    return f"within {limits}: {100 * share.value:.3g} % of the networks{interval}{many}"


def _number(value: float) -> str:
    """Four digits; large counts in thousands or millions."""
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:.4g}{name}"
    return f"{value:.4g}"


def _rounded(count: float) -> int:
    """To three digits."""
    return round(float(f"{count:.3g}"))


def _size(count: int) -> str:
    return f"{count:,}" if count < 10**6 else f"{count:.1e}"
