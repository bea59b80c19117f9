"""What tells search spaces apart: twelve hexadecimal digits over their definition, written into tables and checkpoints.

A definition is plain values (`Layout.definition`), hashed as canonical JSON with a version. Whoever adds a field to it
leaves it out where it has its default, so that tables that exist stay valid.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

VERSION = 1


def signature(definition: Mapping[str, Any]) -> str:
    """Of a space's definition, as this version writes it."""
    return digest({"version": VERSION, **definition})[:12]


def digest(value: Any) -> str:
    """SHA-256 of a value's canonical JSON: keys sorted, no spaces."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def legacy_signature(definition: Mapping[str, Any]) -> str | None:
    """The signature in files of before version 1, which hashed the `repr` that the space's class had then.

    None for a space that could not be described then.
    """
    stages = definition["stages"]
    if "ops" in definition or any(stage["kind"] != "mbconv" for stage in stages):
        return None
    text = "SearchSpace(name='', stages=(" + ", ".join(map(_legacy_stage, stages)) + ("," if len(stages) == 1 else "")
    text += "), resolutions=(), resolution_bounds=(0, 0)"
    for name in ("stem", "final", "mix", "width", "in_channels"):
        text += f", {name}={definition[name]!r}"
    text += ", classes=0"
    for name in ("kernels", "expands", "depths"):
        text += f", {name}={tuple(definition[name])!r}"
    text += f", act={definition['act']!r}, first_act={definition['first_act']!r})"
    later = definition["first"], tuple(stage["layers"] for stage in stages), definition["eps"]
    if later != (0, (0,) * len(stages), 1e-5):
        text += repr(later)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _legacy_stage(stage: Mapping[str, Any]) -> str:
    return f"Stage(channels={stage['channels']}, stride={stage['stride']}, act={stage['act']!r}, se={stage['se']})"
