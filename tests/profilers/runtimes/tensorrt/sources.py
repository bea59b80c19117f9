"""What the product's code uses of the `tensorrt` module, read from its source."""

from __future__ import annotations

import ast
from pathlib import Path

TENSORRT = Path(__file__).resolve().parents[4] / "profilers" / "runtimes" / "tensorrt"
SOURCES = sorted(TENSORRT.glob("*.py"))


def used() -> tuple[set[str], set[tuple[str, str]]]:
    """Dotted names under the module (`ILogger.Severity.ERROR`); (class, attribute) of what is annotated `T.Class`."""
    names: set[str] = set()
    members: set[tuple[str, str]] = set()
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        names |= {dotted for node in ast.walk(tree) if (dotted := under_trt(node))}
        fields = {ast.unparse(n.target): c for n in ast.walk(tree) if isinstance(n, ast.AnnAssign) and (c := of(n))}
        fields = {name: kind for name, kind in fields.items() if name.startswith("self.")}
        for function in (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)):
            arguments = {a.arg: c for a in function.args.args if (c := of(a))}
            local = {
                ast.unparse(n.target): c for n in ast.walk(function) if isinstance(n, ast.AnnAssign) and (c := of(n))
            }
            members |= attributes(function, fields | arguments | local)
    return {n for n in names if not any(other.startswith(f"{n}.") for other in names)}, members


def under_trt(node: ast.AST) -> str | None:
    """`trt.A.B` -> "A.B"."""
    text = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
    return text.removeprefix("trt.") if text.startswith("trt.") and text.replace(".", "").isidentifier() else None


def of(node: ast.AnnAssign | ast.arg) -> str | None:
    """The class in an annotation `T.Class` or `T.Class | None`."""
    text = ast.unparse(node.annotation) if node.annotation else ""
    text = text.removesuffix(" | None")
    return text.removeprefix("T.") if text.startswith("T.") else None


def attributes(function: ast.FunctionDef, kinds: dict[str, str]) -> set[tuple[str, str]]:
    found = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and (kind := kinds.get(ast.unparse(node.value))):
            found.add((kind, node.attr))
    return found
