"""What a key is shown with in a template where it has neither a value nor a default. By dotted key, or last name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

UNWRITTEN = ("definition",)  # keys that hwnas fills in
EXAMPLES: dict[str, Any] = {
    "resolutions": "192:256:4",
    "classes": 10,
    "init_from": "runs/other",
    "evaluate": {"threads": 1},
    "tables": {"cpu_ms": "cpu.json"},
    "budget": {"cpu_ms": 10.0},
    "hypervolume": {"top1": [60.0, 80.0]},
    "scalarise.objective": "params",
    "scalarise.target": 4e6,
    "executor.address": "auto",
    "executor.resources": {"jetson": 1},
    "objective": {"energy_mj": {"source": "layers:power:millijoule", "unit": "mJ"}},
    "objective.energy_mj.direction": "minimise",
    "objective.energy_mj.precision": "fp32",
    "space": "mbv3",
    "supernet": "supernet.safetensors",
    "teacher": True,
    "lr": 0.05,
    "epochs": 20,
    "file": "supernet.safetensors",
    "init": "supernet.safetensors",
    "seconds": 300,
    "prefer": "top1=80,cpu_ms=5",
    "models": ["mobilenet_v3_small"],
    "calibration": "calibration",
    "objectives": ["top1", "cpu_ms"],
}


def example(place: tuple[str, ...], node: Mapping[str, Any]) -> Any:
    """A value for a key at a place, by its name or else by its schema."""
    for name in (".".join(place), place[-1]):
        if name in EXAMPLES and _fits(EXAMPLES[name], node):
            return EXAMPLES[name]
    if "enum" in node:
        return node["enum"][0]
    low = node.get("minimum", 1)
    return {"integer": low, "number": float(low), "boolean": True, "array": [], "object": {}}.get(
        str(node.get("type")), "FILE" if node.get("format") == "path" else "TEXT"
    )


def _fits(value: Any, node: Mapping[str, Any]) -> bool:
    """Whether a value is of the schema's type: one name may be another thing elsewhere."""
    kinds: dict[str, Any] = {
        "integer": int,
        "number": int | float,
        "boolean": bool,
        "array": list | str,
        "object": dict,
    }
    return isinstance(value, kinds.get(str(node.get("type")), str))
