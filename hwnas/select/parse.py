"""Budgets and preferences as users write them: `cpu_ms<=10`, `top1=80,madds=150`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hwnas.search.objectives import COUNT, TOP1, Objective
from hwnas.search.units import BYTE_SUFFIXES, BYTES, SUFFIXES
from profilers.errors import BadInput, nearest

_NUMBER = re.compile(r"\s*([0-9.]+(?:[eE][+-]?[0-9]+)?)\s*([A-Za-z]*)\s*$")
_MILLIONS_BELOW = 10_000  # a plain count below this is in millions, as people (and papers) write params and MAdds


def parse_budget(text: str, objectives: Mapping[str, Objective]) -> tuple[str, float]:
    """`cpu_ms<=10` or `top1>=76` as (name, limit); counts may be given in millions (`madds<=300`, `params<=4.5M`).

    Bytes may be given in KiB, MiB or GiB (`peak_memory<=1.5MiB`).
    """
    match = re.fullmatch(r"\s*(\w+)\s*(<=|>=)(.+)", text)
    if not match:
        raise BadInput(f"budget {text!r}", "NAME<=LIMIT, as in cpu_ms<=10, or top1>=LIMIT")
    name, direction, value = match.groups()
    objective = _objective(name, objectives)
    if (direction == "<=") != objective.minimise:
        raise BadInput(f"budget {text!r}", f"{name} {'<=' if objective.minimise else '>='} a limit")
    return name, _number(objective, value)


def parse_preference(text: str, objectives: Mapping[str, Objective]) -> dict[str, float]:
    """`top1=80,madds=150` as name to wished value."""
    wishes = {}
    for part in text.split(","):
        name, found, value = part.partition("=")
        if not found:
            raise BadInput(f"preference {part!r}", "NAME=VALUE, as in top1=80,madds=150")
        wishes[name.strip()] = _number(_objective(name.strip(), objectives), value)
    return wishes


def _objective(name: str, objectives: Mapping[str, Objective]) -> Objective:
    if name not in objectives:
        raise BadInput(f"unknown objective {name!r}", ", ".join(objectives), nearest(name, list(objectives)))
    return objectives[name]


def _number(objective: Objective, text: str) -> float:
    name, match = objective.name, _NUMBER.match(text)
    suffixes = BYTE_SUFFIXES if objective.unit == BYTES else SUFFIXES
    try:
        value = float(match[1]) * suffixes[match[2]] if match else 0.0
    except (ValueError, KeyError):
        value = 0.0
    if value <= 0:
        examples = "10, 300KiB or 1.5MiB" if objective.unit == BYTES else "10, 4.5M or 300k"
        raise BadInput(f"{name}: {text!r}", f"a positive number, as in {examples}")
    if name == TOP1 and value <= 1:
        raise BadInput(f"top1: {text!r}", f"percent, as in {100 * value:g}")
    plain = objective.kind == COUNT and not (match and match[2])
    return value * 1e6 if plain and value < _MILLIONS_BELOW else value
