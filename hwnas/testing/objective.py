"""The contract of an objective of one's own: what a search takes for granted of it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from hwnas.search.made_objectives import keep, kept, made
from hwnas.search.network_values import network_view
from hwnas.search.objectives import Objective
from hwnas.search.own_objectives import ObjectiveSettings, OwnObjective, find
from hwnas.space import SearchSpace, get_space

_NETWORKS = 20


def check_objective(objective: str | OwnObjective, space: str | SearchSpace = "tiny") -> None:
    """Check an objective on networks of a space; an AssertionError says what does not hold.

    Args:
        objective: one, or a source as in [objective.NAME]: the name of a built-in one or of an entry point,
            "layers:module:function", "network:module:function", "python:module:NAME".
        space: of the networks.

    Raises:
        AssertionError: the contract is broken. BadInput: it cannot be found, or gives no finite number.

    >>> check_objective("peak_memory")
    """
    own = _own(objective) if isinstance(objective, str) else objective
    place = get_space(space) if isinstance(space, str) else space
    found = made(place, own)
    genes = place.sample(_NETWORKS, np.random.default_rng(0))
    values = found.evaluate(genes) if found.evaluate else np.zeros(0)
    assert values.shape == (_NETWORKS,) and np.isfinite(values).all(), "values that are no numbers"
    assert found.low <= found.high, f"bounds {found.low:g} to {found.high:g}"
    _check_values(own, place, genes, values)
    if own.layers is not None:
        _check_lookup(found, place, genes, values)


def _own(source: str) -> OwnObjective:
    name = source if ":" not in source else "checked"
    return find(name, {name: ObjectiveSettings(None if name == source else source)})


def _check_values(own: OwnObjective, space: SearchSpace, genes: np.ndarray, values: np.ndarray) -> None:
    """The function's own, network by network, and the same when asked again."""
    for arch, value in zip(space.decode(genes), values, strict=True):
        if own.network is not None:
            again = own.network(network_view(space, arch))
        else:
            assert own.layers is not None  # one of the two
            costs = [own.layers(layer) for layer in space.layers(arch)]
            again = max(costs) if own.combine == "largest" else sum(costs)
        assert np.isclose(again, value), f"network {arch.id} has the value {value:g}, and {again:g} when asked again"


def _check_lookup(found: Objective, space: SearchSpace, genes: np.ndarray, values: np.ndarray) -> None:
    """All networks are within the bounds, and a run that keeps the look-up gives the same without the code."""
    inside = (values >= found.low - 1e-9 * abs(found.low)) & (values <= found.high + 1e-9 * abs(found.high))
    assert inside.all(), f"values outside of {found.low:g} to {found.high:g}"
    with tempfile.TemporaryDirectory(prefix="hwnas-check-") as folder:
        keep(Path(folder), [found])
        read = kept(Path(folder), space, [found.name], list)[found.name]
    assert read.evaluate is not None and np.array_equal(read.evaluate(genes), values), "kept in a run it differs"
