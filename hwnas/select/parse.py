"""Budgets and preferences as users write them: `cpu_ms<=10`, `top1=80,madds=150`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hwnas.search.objectives import COUNTS, TOP1, Objective
from profilers.errors import BadInput

_NUMBER = re.compile(r"\s*([0-9.]+(?:[eE][+-]?[0-9]+)?)\s*([kMG]?)\s*$")
_SUFFIX = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}
_MILLIONS_BELOW = 10_000  # a plain count below this is in millions, as people (and papers) write params and MAdds


def parse_budget(text: str, objectives: Mapping[str, Objective]) -> tuple[str, float]:
    """`cpu_ms<=10` or `top1>=76` as (name, limit); counts may be given in millions (`madds<=300`, `params<=4.5M`)."""
    match = re.fullmatch(r"\s*(\w+)\s*(<=|>=)(.+)", text)
    if not match:
        raise BadInput(f"budget {text!r}", "NAME<=LIMIT, as in cpu_ms<=10, or top1>=LIMIT")
    name, direction, value = match.groups()
    objective = _objective(name, objectives)
    if (direction == "<=") != objective.minimise:
        raise BadInput(f"budget {text!r}", f"{name} {'<=' if objective.minimise else '>='} a limit")
    return name, _number(name, value)


def parse_preference(text: str, objectives: Mapping[str, Objective]) -> dict[str, float]:
    """`top1=80,madds=150` as name to wished value."""
    wishes = {}
    for part in text.split(","):
        name, found, value = part.partition("=")
        if not found:
            raise BadInput(f"preference {part!r}", "NAME=VALUE, as in top1=80,madds=150")
        wishes[name.strip()] = _number(_objective(name.strip(), objectives).name, value)
    return wishes


def _objective(name: str, objectives: Mapping[str, Objective]) -> Objective:
    if name not in objectives:
        raise BadInput(f"unknown objective {name!r}", ", ".join(objectives))
    return objectives[name]


def _number(name: str, text: str) -> float:
    match = _NUMBER.match(text)
    try:
        value = float(match[1]) * _SUFFIX[match[2]] if match else 0.0
    except ValueError:
        value = 0.0
    if value <= 0:
        raise BadInput(f"{name}: {text!r}", "a positive number, as in 10, 4.5M or 300k")
    if name == TOP1 and value <= 1:
        raise BadInput(f"top1: {text!r}", f"percent, as in {100 * value:g}")
    return value * 1e6 if name in COUNTS and not (match and match[2]) and value < _MILLIONS_BELOW else value
