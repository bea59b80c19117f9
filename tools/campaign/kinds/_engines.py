"""What kinds of engines start from: a small network with random weights, exported for ONNX Runtime."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from tools.campaign.kinds import _runs

SHEET = "datasheet.json"


def exported(folder: Path) -> Path:
    """An engine's folder below `folder`."""
    arch = {"ks": [3, 3, 3], "e": [3, 3, 3], "d": [1, 1, 1], "r": 12}
    (folder / "arch.json").write_text(json.dumps(arch))
    _runs.must(
        "export",
        str(folder / "arch.json"),
        "--space",
        "tiny",
        "--engine",
        "onnxruntime",
        "--random-weights",
        "--quick",
        "--out",
        str(folder / "engine"),
    )
    return folder / "engine"


def fitting(text: bytes) -> bytes:
    """The text of a datasheet with the checksum that its content wants; as it is where it has none that fits."""
    try:
        found = json.loads(text)
        stated = found.pop("checksum")
        wanted = hashlib.sha256(json.dumps(found, sort_keys=True, allow_nan=False).encode()).hexdigest()
        return text.replace(str(stated).encode(), wanted.encode())
    except (ValueError, RecursionError, KeyError, AttributeError, TypeError):
        return text


def refit(folder: Path, name: str) -> None:
    """Write into the datasheet what the file of that name has become."""
    data, path = (folder / name).read_bytes(), folder / SHEET
    sheet = json.loads(path.read_text())
    sheet["files"][name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    path.write_bytes(fitting(json.dumps(sheet).encode()))
