"""Templates of the files that commands read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hwnas.templates.options import evaluate_note
from hwnas.templates.writer import commented_toml
from profilers.errors import BadInput, nearest

_HINT = "# Lines of a key that begin with # are defaults, or examples: take the # away to change one.\n\n"


def template(kind: str) -> str:
    """A commented file with every key that a command's configuration may have.

    Args:
        kind: "search", "supernet", "finetune" (of `hwnas train`) or "run" (a recipe).

    Returns:
        TOML; only what must be said is in force.

    Raises:
        BadInput: another kind.

    Example:
        >>> import hwnas
        >>> print(hwnas.template("supernet").splitlines()[2])
        # `hwnas train supernet`. Paths are relative to the file.
    """
    if kind not in KINDS:
        raise BadInput(f"a template {kind!r}", ", ".join(KINDS), nearest(kind, list(KINDS)))
    return _HINT + KINDS[kind]()


def _search() -> str:
    from hwnas.search.config import Config

    values = {"space": "mbv3", "accuracy": "supernet:supernet.safetensors"}
    return commented_toml(Config, values, {"evaluate": evaluate_note()})


def _supernet() -> str:
    from hwnas.train.config import SupernetConfig

    values = {"space": "mbv3", "dataset": "folder:images", "out": "supernet.safetensors"}
    return commented_toml(SupernetConfig, values)


def _finetune() -> str:
    from hwnas.train.config import FinetuneConfig

    values: Mapping[str, Any] = {
        "dataset": "folder:images", "archs": "networks.jsonl", "out": "networks", "supernet": "supernet.safetensors",
    }  # fmt: skip
    return commented_toml(FinetuneConfig, values)


def _run() -> str:
    from hwnas.recipe.settings import RecipeSettings

    values = {"images": "folder:images", "space": "mbv3"}
    return commented_toml(RecipeSettings, values, {"search.evaluate": evaluate_note("supernet")})


KINDS: dict[str, Callable[[], str]] = {"search": _search, "supernet": _supernet, "finetune": _finetune, "run": _run}
