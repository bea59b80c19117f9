"""What the report says first: which network to ship, how good and fast it is, what it has to spare, why it, and how.

Of the exported engines that keep the budget the most accurate one; without any, the network that `hwnas select` would
offer first. What breaks the run's own budget is never offered.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwnas.report.budget import figure_of, keeps, worst_of
from hwnas.report.cells import Cell, Origin
from hwnas.report.data import Engine, Floats, Mask, RunData
from hwnas.report.formatting import Scale, label_of, lower, plural, quantity, scales, significant
from hwnas.report.letters import name_of
from hwnas.report.marks import alike

CERTAIN = "at the upper end of its interval"


@dataclass(frozen=True)
class Fact:
    """A number of the network: what it is, and the number with its interval and origin."""

    name: str
    cell: Cell


@dataclass(frozen=True)
class Ship:
    """`verdict` in a sentence; `index` is of the evaluated network, None where the search has not seen it."""

    verdict: str
    letter: str = ""
    id: str = ""
    index: int | None = None
    link: str = ""
    facts: Sequence[Fact] = ()
    reasons: Sequence[str] = ()
    commands: Sequence[str] = ()
    warned: bool = False


def ship(run: RunData) -> Ship:
    """The network to ship, or why there is none."""
    rated = [(e, f["value"]) for e in run.chosen if (f := e.sheet["accuracy"]["top1"]).get("value") is not None]
    within = [(engine, float(top1)) for engine, top1 in rated if keeps(run, engine)]
    if within:
        return _engine(run, within)
    inside, certain = run.within_budgets, True
    if not inside.any():
        inside, certain = run.possibly_within_budgets, False
    return _network(run, inside, certain) if inside.any() else _none(run)


def _engine(run: RunData, within: Sequence[tuple[Engine, float]]) -> Ship:
    best, _ = max(within, key=lambda pair: (pair[1], -(_ms(pair[0]) or np.inf)))
    key = run.space.parse(best.sheet["architecture"]).id
    judged = str(best.sheet["accuracy"].get("split") or "measured")
    facts = [Fact(f"Top-1 accuracy ({judged} images)", _cell(best.sheet["accuracy"]["top1"]))]
    facts += [Fact("Latency, measured", _cell(best.sheet["latency"]["measured"], unit=" ms"))]
    shown = scales(run)
    for i in run.costs:
        figure = figure_of(run, best, run.objectives[i].name)
        if figure is not None and figure is not best.sheet["latency"]["measured"]:
            facts.append(Fact(shown[i].label, _cell(figure, shown[i].divisor, f" {shown[i].unit}")))
    tied = [
        (e, a)
        for e, a in within
        if e is not best and alike(best.sheet["accuracy"]["top1"], e.sheet["accuracy"]["top1"])
    ]
    reasons = [f"The most accurate of {plural(len(within), 'exported engine')}{_that_keep(run, len(within))}."]
    reasons += _ties(run, best, tied)
    return Ship(
        f"Ship this engine{' within the budget' * bool(run.budgets)}.",
        run.letters[key], key, run.row_of(key), best.link or "", facts,
        [*_spared(run, [(name, worst_of(run, best, name)) for name in run.budgets]), *reasons],
        [f"hwnas validate {shlex.quote(best.folder or best.link or key)}"],
    )  # fmt: skip


def _ties(run: RunData, best: Engine, tied: Sequence[tuple[Engine, float]]) -> list[str]:
    """Engines that cannot be told from the best, and the fastest of them if it is faster."""
    if not tied:
        return []
    names = [f"{name_of(run, e)} with {a:.1f} %" for e, a in tied]
    text = f"A tie: {', '.join(names)} cannot be told from it in accuracy"
    timed = [(ms, name) for (e, _), name in zip(tied, names, strict=True) if (ms := _ms(e)) is not None]
    mine = _ms(best)
    if timed and mine and min(timed)[0] < mine:
        ms, name = min(timed)
        text += f"; {name.partition(' with ')[0]} takes {100 * (1 - ms / mine):.0f} % less time"
    return [f"{text}."]


def _ms(engine: Engine) -> float | None:
    value = engine.sheet["latency"]["measured"]["value"]
    return None if value is None else float(value)


def _network(run: RunData, inside: Mask, certain: bool) -> Ship:
    """The best network that was evaluated."""
    sign = 1.0 if run.objectives[run.quality].minimise else -1.0
    order = np.lexsort((run.values[:, run.main_cost], sign * run.values[:, run.quality]))
    best = int(next(i for i in order if inside[i]))
    key, shown = run.archs[best].id, scales(run)
    facts = [Fact(shown[i].label, _of_search(run, best, i, shown[i])) for i in (run.quality, *run.costs)]
    quality = lower(label_of(run, run.objectives[run.quality].name))
    count = int(inside.sum()) + run.left_out.within * certain
    reasons = [f"The best {quality} of {plural(count, 'evaluated network')}{_that_keep(run, count)}."]
    tied = run.tied(best, inside)
    if len(tied):
        fast = int(min((best, *tied), key=lambda i: run.values[i, run.main_cost]))
        more = "" if fast == best else f"; of them {run.archs[fast].id} has the lowest {_cost(run)}"
        reasons.append(f"A tie: {plural(len(tied), 'other network')} cannot be told from it in accuracy{more}.")
    if not certain:
        reasons.append("No network is certain to keep the budget: this one does by the point prediction only.")
    place, uncertain = shlex.quote(run.folder or run.name), "" if certain else " --optimistic"
    command = f"hwnas export {place} --id {key}{uncertain} --engine auto --out {shlex.quote(f'{run.folder}/engines')}"
    return Ship(
        f"Export this network{' within the budget' * bool(run.budgets)}: no engine{_that_keep(run)} has been measured.",
        run.marked.get(best, ""), key, best, "", facts,
        [*_spared(run, _worst(run, best, certain)), *reasons], [command], not certain,
    )  # fmt: skip


def _none(run: RunData) -> Ship:
    """Nothing was evaluated, or nothing keeps the budget."""
    if not run.done:
        return Ship("Nothing to ship yet: no network has been evaluated." if not run.rows else
                    "Nothing to ship: every evaluation failed.", warned=bool(run.rows))  # fmt: skip
    nearest = []
    for name in run.budgets:
        if (found := run.ends_of(name)) is not None:
            value = found[:, 1].min() if run.minimises(name) else found[:, 1].max()
            nearest.append(f"{lower(label_of(run, name))} comes to {_text(run, name, float(value))} at best")
    reasons = [f"{'; '.join(nearest).capitalize()}."] if nearest else []
    reasons.append("A larger budget, or a search under this one, will find some.")
    return Ship("Nothing to ship: no evaluated network keeps the budget.", reasons=reasons, warned=True)


def _that_keep(run: RunData, count: int = 1) -> str:
    return f" that keep{'s' if count == 1 else ''} the budget" if run.budgets else ""


def _worst(run: RunData, row: int, certain: bool) -> list[tuple[str, float | None]]:
    found = []
    for name in run.budgets:
        ends = run.ends_of(name)
        end = (2 if run.minimises(name) else 0) if certain else 1
        found.append((name, None if ends is None else float(ends[row, end])))
    return found


def _spared(run: RunData, worst: Sequence[tuple[str, float | None]]) -> list[str]:
    """A sentence for each budget."""
    found = []
    for name, value in worst:
        limit, minimise = run.budgets[name], run.minimises(name)
        said = f"{label_of(run, name)} of at {'most' if minimise else 'least'} {_text(run, name, limit)}: "
        if value is None:
            found.append(f"{said}not known of it.")
            continue
        spare = (limit - value) if minimise else (value - limit)
        share = f" ({100 * spare / limit:.1f} %)" if limit else ""
        found.append(
            f"{said}kept, {_text(run, name, spare)}{share} to spare {CERTAIN if minimise else 'at its lower end'}."
        )
    return found


def _text(run: RunData, name: str, value: float) -> str:
    by_name = {o.name: s for o, s in zip(run.objectives, scales(run), strict=True)}
    return by_name[name].text(value) if name in by_name else significant(value)


def _cost(run: RunData) -> str:
    return lower(label_of(run, run.objectives[run.main_cost].name))


def _cell(figure: object, divisor: float = 1.0, unit: str = " %") -> Cell:
    value = figure if isinstance(figure, dict) else {}
    number, _, interval = quantity(value, divisor).partition(" ")
    return Cell(number + unit.rstrip(), interval.strip("()").replace("–", " to "), Origin(str(value.get("how", ""))))


def _of_search(run: RunData, row: int, column: int, scale: Scale) -> Cell:
    objective = run.objectives[column]
    found: Floats | None = run.ends_of(objective.name)
    interval = run.done[row].top1_interval if objective.name == "top1" else None
    if interval is None and found is not None and found[row, 0] < found[row, 2]:
        interval = (float(found[row, 0]), float(found[row, 2]))
    shown = "" if interval is None else f"{scale.number(interval[0])} to {scale.number(interval[1])}"
    return Cell(scale.text(float(run.values[row, column])), shown, Origin(objective.how))
