"""A network's layers, and how much of each table's time every one of them takes."""

from __future__ import annotations

from typing import Any

from hwnas.report.data import RunData
from hwnas.report.formatting import label_of
from hwnas.space import LayerSpec


def layer_times(run: RunData) -> dict[str, Any]:
    """The distinct layers of all networks, what each costs, and which of them a network has.

    {"names": layers in words, "costs": [{"title", "values"}] one of multiply-adds and one a table, "of": (n) indices}
    """
    of = [run.space.layers(arch) for arch in run.archs]
    specs = {spec.key: spec for layers in of for spec in layers}
    at = {key: i for i, key in enumerate(specs)}
    madds = {"title": "MAdds", "values": [spec.madds for spec in specs.values()]}
    return {
        "names": [words(spec) for spec in specs.values()],
        "costs": [*_times(run, list(specs)), madds],
        "of": [[at[spec.key] for spec in layers] for layers in of],
    }


def _times(run: RunData, keys: list[str]) -> list[dict[str, Any]]:
    """Of each table whose entries are times of layers."""
    found = []
    for name, table in run.tables.items():
        entries = table.bind(run.space).entries
        found.append({"title": label_of(run, name), "values": [float(f"{entries[key].ms:.4g}") for key in keys]})
    return found


def words(spec: LayerSpec) -> str:
    """A layer as people read it."""
    kernel = f"{spec.kernel} × {spec.kernel}" if spec.kernel > 1 else ""
    expand = f"expand {spec.expand}" if spec.mid else ""
    shape = f"{spec.in_channels} to {spec.out_channels} channels"
    size = f"{spec.size} px" if spec.size > 1 else ""
    parts = [spec.kind.replace("_", " "), kernel, expand, shape, size, f"stride {spec.stride}" * (spec.stride > 1)]
    return ", ".join(part for part in parts if part)
