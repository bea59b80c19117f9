"""Tables and interrupted builds of schema 1 brought to today's keys: the one place that knows the old names.

Nothing here checks; what comes out is read as strictly as any file. Whatever is not of schema 1 is left as it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from profilers.base import UNSTATED

PROVENANCE = {
    "sentinels": "controls",
    "sentinels_ms": "controls_ms",
    "foreign_time": "unattributed_fraction",
    "shared_core": "contended_fraction",
    "other_work_cores": "background_load_cores",
    "timed_by_cpu_clock": "cpu_clock_fraction",
    "refined": "reconciled",
}
VERIFY = {"shared_core": "contended_fraction", "other_work_cores": "background_load_cores"}
BATCH = {
    "sentinels": "controls_ms",
    "foreign": "unattributed_fraction",
    "shared": "contended_fraction",
    "load": "background_load",
    "busy": "cpu_clock_fraction",
}
SETTINGS = {"sentinels": "controls"}
INTERVALS = {"split conformal": "held-out groups"}  # two labels of one thing


def upgrade_table(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a table of schema 1 as one of today would have it."""
    new = dict(content)
    shared = {"state": _get(content, "options", "state"), "estimator": _get(content, "provenance", "estimator")}
    for name in ("options", "fingerprint"):  # the first tables stated no state of the caches
        if isinstance(value := content.get(name), dict):
            new[name] = {"state": UNSTATED, **value}
    for name, names in (("provenance", PROVENANCE), ("verify", VERIFY)):
        if isinstance(value := content.get(name), dict):
            new[name] = _renamed(value, names)
    if isinstance(interval := content.get("interval"), dict):
        source = interval.get("source")
        new["interval"] = {**interval, "source": INTERVALS.get(str(source), source)}
    if isinstance(observed := content.get("observations"), dict) and "units" in observed:
        batches = _each(observed["units"], lambda unit: _batch(unit, shared))
        new["observations"] = {"batches": batches, **{k: v for k, v in observed.items() if k != "units"}}
    return new


def upgrade_checkpoint(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of an interrupted build of schema 1 as one of today would have it."""
    new = {k: v for k, v in content.items() if k != "units"}
    if isinstance(settings := content.get("settings"), dict):
        new["settings"] = _renamed(settings, SETTINGS)
    if isinstance(fingerprint := content.get("fingerprint"), dict):
        new["fingerprint"] = {"state": UNSTATED, **fingerprint}
    shared = {"state": _get(content, "fingerprint", "state"), "estimator": ""}
    new["batches"] = _each(content.get("units"), lambda unit: _batch(unit, shared))
    return new


def _batch(unit: Any, shared: Mapping[str, Any]) -> Any:
    """`nodes` and `shared` came later than the first tables; `state` and `estimator` stood elsewhere."""
    if not isinstance(unit, dict):
        return unit
    networks = _each(unit.get("networks"), _network)
    return {**shared, "nodes": 1.0, "contended_fraction": 0.0, **_renamed(unit, BATCH), "networks": networks}


def _network(value: Any) -> Any:
    """Old tables did not keep a network's interval, its clock and its id."""
    if not isinstance(value, dict):
        return value
    ms, classes = value.get("ms"), value.get("classes")
    known = {"id": _network_id(value.get("arch"), classes), "low": ms, "high": ms, "clock": "wall", "classes": classes}
    return {**known, **value}


def _network_id(arch: Any, classes: Any) -> str:
    """As `hwnas.space` names an architecture and `lut.build.bench.Network` a network."""
    name = hashlib.sha256(json.dumps(arch, sort_keys=True).encode()).hexdigest()[:10]
    return name if classes is None else f"{name}-{classes}"


def _renamed(value: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(k, k): v for k, v in value.items()}


def _each(values: Any, change: Any) -> Any:
    return [change(value) for value in values] if isinstance(values, list) else values


def _get(content: Mapping[str, Any], section: str, name: str) -> Any:
    """A text of a section, "" where it does not say."""
    value = content.get(section)
    return value.get(name, "") if isinstance(value, dict) else ""
