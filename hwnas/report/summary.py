"""The report in a paragraph and a few numbers, for somebody who has never seen the project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hwnas.accuracy.wilson import alike, optimistic, wilson
from hwnas.report import figures
from hwnas.report.budget import keeps
from hwnas.report.data import Mask, RunData
from hwnas.report.formatting import label_of, listing, lower, plural, scales, share, significant
from hwnas.report.latency import agreements, mean_error
from hwnas.space import SearchSpace

POINT_PREDICTION = "by the point prediction of its latency: no network is certain to meet the budget"
_POWERS = ((1e12, ""), (1e9, " billion"), (1e6, " million"))


@dataclass(frozen=True)
class Tile:
    """A number with what it is and what stands behind it."""

    name: str
    value: str
    note: str


def paragraph(run: RunData) -> str:
    """What was searched, for which device and budget, and what came out."""
    parts = [_searched(run), _found(run), _left_out(run), *_devices(run), _budget(run), _exported(run)]
    return " ".join(part for part in parts if part)


def tiles(run: RunData) -> list[Tile]:
    """The key numbers that this run has."""
    found = [Tile("Networks evaluated", f"{run.evaluated:,}", _effort(run))]
    return [*found, *_best(run), *_fastest(run), *_agreement(run), *_random(run)]


def size(space: SearchSpace) -> str:
    """How many networks a space has, in words."""
    count = space.size
    if count >= 1e15:
        return f"about 10{str(len(str(count)) - 1).translate(str.maketrans('0123456789', '⁰¹²³⁴⁵⁶⁷⁸⁹'))}"
    divisor, word = next(((d, w) for d, w in _POWERS if count >= d), (1.0, ""))
    return f"{significant(count / divisor, 2)}{word}"


def device(run: RunData) -> str | None:
    """What the engines were measured on, else what the first measured table (or any) is of."""
    engines = [str(e.sheet["fingerprint"].get("device") or "") for e in run.chosen]
    measured = [t.device for t in run.tables.values() if t.status == "measured"]
    return next((d for d in [*engines, *measured, *(t.device for t in run.tables.values())] if d), None)


def _effort(run: RunData) -> str:
    first = sum(row.iteration == 0 for row in run.rows) + run.left_out.initial
    steps = max((row.iteration for row in run.rows), default=0)
    parts = [f"of {size(run.space)} in the space {run.space.name}", f"{first} initial"]
    parts += [f"then {plural(steps, 'iteration')}"] * (steps > 0) + [f"{run.failed} failed"] * (run.failed > 0)
    return ", ".join(parts)


def _searched(run: RunData) -> str:
    names = [lower(label_of(run, run.objectives[i].name)) for i in run.costs]
    against = (
        f", weighing {lower(label_of(run, run.objectives[run.quality].name))} against {listing(names)}" if names else ""
    )
    evaluated = f"{run.evaluated:,} {'was' if run.evaluated == 1 else 'were'} evaluated"
    return f"Of {size(run.space)} networks in the space {run.space.name}, {evaluated}{against}."


def _found(run: RunData) -> str:
    if not run.done:
        return "None of them gave a result." if run.rows else "Nothing has been evaluated yet."
    count, every = int(run.front.sum()), plural(len(run.objectives), "objective")
    if run.budgets and not count:
        unsure = int(run.possibly_within_budgets.sum())
        return f"None of them is certain to meet the budget{f', {unsure:,} may' if unsure else ''}."
    failed = f" {plural(run.failed, 'more evaluation')} failed." if run.failed else ""
    within = (
        f"Of the {int(run.within_budgets.sum()) + run.left_out.within:,} that meet the budget, {count:,}"
        if run.budgets
        else f"{count:,} of them"
    )
    return f"{within} {'is' if count == 1 else 'are'} beaten by no other in all {every}.{failed}"


def _left_out(run: RunData) -> str:
    """That a page of very many networks does not show them all."""
    if not run.left_out.networks:
        return ""
    text = f"This page shows {len(run.done):,}: every one that may be chosen under any limit, and of those that others"
    return f"{text} beat an even share, so that it stays small; hwnas archive has all."


def _devices(run: RunData) -> list[str]:
    found = []
    for name, table in run.tables.items():
        how = "is looked up in a table measured on" if table.status == "measured" else f"is {table.status}, for"
        options = table.options
        found.append(f"{label_of(run, name)} {how} {table.device} (batch {options.batch}, {options.precision}).")
    return found


def _budget(run: RunData) -> str:
    units = {o.name: scale for o, scale in zip(run.objectives, scales(run), strict=True)}
    limits = [
        f"{lower(label_of(run, name))} of at {'most' if run.minimises(name) else 'least'} "
        + (units[name].text(limit) if name in units else significant(limit))
        for name, limit in run.budgets.items()
    ]
    return f"The budget was a {listing(limits)}." if limits else ""


def _exported(run: RunData) -> str:
    if not run.chosen:
        return "No engine has been exported yet."
    kept = [e.sheet["latency"]["within_interval"] for e in run.chosen]
    judged = [k for k in kept if k is not None]
    text = f"{plural(len(run.chosen), 'engine')} {'was' if len(run.chosen) == 1 else 'were'} built and measured"
    if not judged:
        return f"{text}."
    return f"{text}; the measured latency of {share(sum(judged), len(judged))} lies in the predicted interval."


def _best(run: RunData) -> list[Tile]:
    known = [(e, f) for e in run.chosen if (f := e.sheet["accuracy"]["top1"]).get("value") is not None]
    within = [(e.sheet, f) for e, f in known if keeps(run, e)]
    if within:
        sheet, found = max(within, key=lambda pair: pair[1]["value"])
        note = f"{_letter(run, sheet)}{found['how']}"
        return [Tile(f"Best accuracy of an exported engine{_limited(run)}", f"{found['value']:.2f} %", note)]
    if not run.done:
        return []
    objective, text = run.objectives[run.quality], scales(run)[run.quality].text
    name = f"Best {label_of(run, objective.name).lower()}{_limited(run)}"
    inside, how = (
        (run.within_budgets, objective.how)
        if run.within_budgets.any()
        else (run.possibly_within_budgets, f"{POINT_PREDICTION}; {objective.how}")
    )
    if not inside.any():
        return [Tile(name, "none", "no evaluated network meets the budget")]
    column = run.values[inside, run.quality]
    best = column.min() if objective.minimise else column.max()
    return [Tile(name, text(best), f"{_trusted(run, inside, best)}{how}")]


def _trusted(run: RunData, inside: Mask, best: float) -> str:
    """The interval of the best top-1, and a warning if it is the luckiest of many on few images."""
    rows = [row for row, kept in zip(run.done, inside, strict=True) if kept]
    images = next((row.images for row in rows if row.objectives.get("top1") == best), None)
    if run.objectives[run.quality].name != "top1" or images is None:
        return ""
    tied = sum(alike(best, float(row.objectives["top1"] or 0.0), row.images) for row in rows)
    low, high = wilson(best, images)
    return f"{optimistic(best, images, tied) or f'{low:.1f} to {high:.1f} on {images} images'}; "


def _limited(run: RunData) -> str:
    return " within the budget" if run.budgets else ""


def _fastest(run: RunData) -> list[Tile]:
    timed = [(e.sheet["latency"]["measured"], e.sheet) for e in run.chosen if keeps(run, e)]
    known = [(f["value"], f["how"], s) for f, s in timed if f.get("value") is not None]
    if not known:
        return []
    value, how, sheet = min(known, key=lambda k: k[0])
    return [Tile("Fastest exported engine", f"{significant(value)} ms", f"{_letter(run, sheet)}{how}")]


def _agreement(run: RunData) -> list[Tile]:
    pairs = [p for a in agreements(run) for p in a.engines]
    error = mean_error(pairs)
    if error is None:
        return []
    inside = share(sum(p.inside for p in pairs), len(pairs))
    return [
        Tile("Predicted latency is off by", f"{100 * error:.1f} %", f"mean of the engines; {inside} in the interval")
    ]


def _random(run: RunData) -> list[Tile]:
    data = figures.progress(run)
    if data is None or data.random is None or data.random.y[-1] <= 0:
        return []
    last, random = data.search.y[-1], data.random.y[-1]
    note = f"hypervolume {significant(last)} after {data.search.x[-1]:.0f} networks, "
    note += f"random {significant(random)} after {data.random.x[-1]:.0f}"
    return [Tile("Against random search", f"{100 * (last / random - 1):+.1f} %", note)]


def _letter(run: RunData, sheet: Mapping[str, Any]) -> str:
    name = run.letters.get(run.space.parse(sheet["architecture"]).id)
    return f"{name}, " if name else ""
