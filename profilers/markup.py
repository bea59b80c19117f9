"""HTML and SVG from a package's templates, with one rule: every text is escaped unless a template has made it."""

from __future__ import annotations

import json
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from profilers.printable import escaped

_JSON: dict[str, Any] = {"allow_nan": False, "separators": (",", ":")}


def templates(package: str, folder: str = "templates") -> Environment:
    """The templates in a folder of a package; an unknown name in one is an error."""
    environment = Environment(
        loader=PackageLoader(package, folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_shown,
    )
    environment.policies["json.dumps_kwargs"] = _JSON
    return environment


def _shown(value: Any) -> Any:
    """Text without control characters and lone surrogates, which no page can hold; what a template made stays."""
    return escaped(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def json_text(value: Any) -> str:
    """Compact JSON, for a page's script."""
    return json.dumps(value, **_JSON)
