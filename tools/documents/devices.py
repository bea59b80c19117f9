"""The tables of engines and cards on the page of devices, from the code."""

from __future__ import annotations

from lut.estimate import cards
from profilers.registry import BUILTIN


def engines() -> str:
    """Markdown: what each built-in runtime computes on and in."""
    rows = [
        f"| `{name}` | {'simulated' if name == 'fake' else found.device} | {', '.join(found.precisions)} "
        f"| {'yes' if found.traces else 'no'} |"
        for name, found in BUILTIN.items()
    ]
    return "\n".join(["| engine | device | precisions | times single layers |", "|---|---|---|---|", *rows])


def known_cards() -> str:
    """Markdown: cards whose data sheet is known."""
    rows = [f"| {c.name} | {c.tflops:g} | {c.gb_s:g} | {c.capability} | {c.source} |" for c in cards._CARDS]
    head = "| card | FP32 TFLOP/s | memory GB/s | compute capability | source |\n|---|---|---|---|---|"
    return "\n".join([head, *rows])
