"""Writes docs/schemas: the JSON Schema of each kind of file, for editors and other programs. Run it after a change.

python tools/schemas.py          writes them
python tools/schemas.py --check  exits with 1 if a committed one is not what the code gives
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from hwnas.export.datasheet_schema import Datasheet
from hwnas.recipe.settings import RecipeSettings
from hwnas.search.config import Config
from hwnas.space.definition import Definition
from hwnas.train.config import FinetuneConfig, SupernetConfig
from lut.table.store import Document
from profilers.runtimes.tensorrt.manifest import Manifest
from profilers.runtimes.torch.manifest import Manifest as Package
from profilers.validation import json_schema

FOLDER = Path(__file__).resolve().parents[1] / "docs/schemas"
FILES = {
    "recipe": (RecipeSettings, "hwnas run RECIPE.toml"),
    "search": (Config, "hwnas search CONFIG.toml"),
    "supernet": (SupernetConfig, "hwnas train supernet CONFIG.toml"),
    "finetune": (FinetuneConfig, "hwnas train finetune CONFIG.toml"),
    "space": (Definition, "A search space of one's own: FILE.toml, or the definition in a table, run or checkpoint"),
    "table": (Document, "A latency table"),
    "datasheet": (Datasheet, "datasheet.json of an exported engine"),
    "engine": (Manifest, "The manifest beside a TensorRT engine"),
    "package": (Package, "The manifest beside a package of torch"),
}


def text_of(name: str) -> str:
    """The schema's file as it should be."""
    kind, title = FILES[name]
    schema: dict[str, Any] = {"$schema": "https://json-schema.org/draft/2020-12/schema", **json_schema(kind)}
    return json.dumps(schema | {"title": title}, indent=2, ensure_ascii=False) + "\n"


def path_of(name: str) -> Path:
    """Where it lies."""
    return FOLDER / f"{name}.schema.json"


def main() -> None:
    """Write or check all of them."""
    stale = [name for name in FILES if not path_of(name).is_file() or path_of(name).read_text() != text_of(name)]
    if "--check" in sys.argv:
        sys.exit(f"tools/schemas.py was not run after a change of: {', '.join(stale)}" if stale else 0)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in stale:
        path_of(name).write_text(text_of(name))
        print(f"wrote {path_of(name)}", file=sys.stderr)


if __name__ == "__main__":
    main()
