"""How an engine is called in a sentence."""

from __future__ import annotations

from hwnas.report.data import Engine, RunData


def name_of(run: RunData, engine: Engine) -> str:
    """Its network's letter; with what tells it from others where the network has several engines."""
    key = run.space.parse(engine.sheet["architecture"]).id
    same = [e for e in run.chosen if run.space.parse(e.sheet["architecture"]).id == key]
    if len(same) == 1:
        return run.letters[key]
    kind = engine.sheet["engine"]
    return f"{run.letters[key]} ({kind['name']}, {kind['precision']}, {engine.folder or engine.sheet['name']})"
