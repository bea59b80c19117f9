"""A latency table: its bytes, and its content under a checksum that fits."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random

import numpy as np

from tools.campaign.case import Case, Kind
from tools.campaign.kinds import _runs
from tools.campaign.mutations import HOSTILE, Raw, as_json, of_bytes, of_tree

TABLE, ARCHS = "t.json", "archs.jsonl"
COMMANDS = (
    ("lut", "show", TABLE, "--json"),
    ("lut", "predict", TABLE, "--archs", ARCHS),
    ("lut", "show", TABLE),
    ("lut", "show", TABLE, "--html", "t.html"),
    ("lut", "export", TABLE, "--format", "nsganetv2", "--out", "t.yaml"),
)


def _prepare(folder: Path) -> None:
    """A table with all that one may have."""
    import hwnas
    from lut.estimate.correction import Calibration, Interval
    from lut.table.store import save

    found = hwnas.LatencyTable.estimate("tiny", "GTX 1080 Ti", 1, resolutions=[32]).data
    observed = {"batches": [{"networks": [{"id": "a", "ms": 1.5, "arch": {"ks": [3]}}], "controls_ms": [1.0, 1.1]}]}
    save(
        replace(
            found,
            status="measured",
            method="in-context",
            calibration=Calibration((0.01, 0.0, 0.001, 0.0), 40, 0.05, 0.02),
            interval=Interval(0.9, 1.1, 0.95, 40),
            verify={"mape": 2.5, "archs": 5, "within_5": 90.0, "kendall_tau": 0.9},
            observations=observed,
        ),
        folder / TABLE,
    )
    space = hwnas.get_space("tiny", [32])
    archs = space.decode(space.sample(4, np.random.default_rng(1)))
    (folder / ARCHS).write_text("\n".join(json.dumps(arch.to_json()) for arch in archs))
    (folder / "right").write_text(answered(folder / TABLE, folder / ARCHS))
    _runs.must(*(str(folder / part) if part in (TABLE, ARCHS) else part for part in COMMANDS[1]))


def _mutate(random: Random, prepared: Path, here: Path) -> Case:
    (here / ARCHS).write_bytes((prepared / ARCHS).read_bytes())
    data = (prepared / TABLE).read_bytes()
    damaged = random.random() < 0.3
    what, data = of_bytes(random, data) if damaged else _content(random, data)
    (here / TABLE).write_bytes(data)
    right = (prepared / "right").read_text() if damaged else ""
    others = (random.choice(COMMANDS),) if random.random() < 0.1 else ()
    call = partial(answered, Path(TABLE), Path(ARCHS))
    return Case(what, (call, *others), lambda i, out: "" if i else _wrong(out, right))


def _content(random: Random, data: bytes) -> tuple[str, bytes]:
    """Changed under a checksum that fits, so that it is read; one in six with whatever stands around it."""
    from lut.table.store import checksum
    from profilers.errors import HwnasError

    document = json.loads(data)
    if random.random() < 0.15:
        what, changed = of_tree(random, document, HOSTILE, 2)
        return what, changed.text.encode() if isinstance(changed, Raw) else as_json(changed)
    section = random.choice([None, *document["content"]])
    tree = document["content"] if section is None else document["content"][section]
    what, changed = of_tree(random, tree, HOSTILE, 3)
    document["content"] = changed if section is None else {**document["content"], section: changed}
    with suppress(HwnasError, ValueError, RecursionError):  # no checksum can be made of it
        document["checksum"] = checksum(json.loads(as_json(document["content"])))
    return f"{section or 'content'}: {what}", as_json(document)


def answered(path: Path, archs: Path) -> str:
    """Facts on a line, predictions on the next."""
    import hwnas

    table = hwnas.LatencyTable(path)
    networks = [table.space.parse(json.loads(line)) for line in archs.read_text().splitlines()]
    found = table.data.bind(table.space).predict(table.space.encode(networks))
    facts = json.dumps([list(fact) for fact in table.facts()])
    return f"{facts}\n{json.dumps([values.tolist() for values in found])}"


def _wrong(output: str, right: str) -> str:
    for ms, low, high in zip(*json.loads(output.split("\n")[1]), strict=True):
        if not 0 <= low <= ms <= high < 1e12:
            return f"no interval: {low} to {high} around {ms}"
    return f"another answer: {output[:100]}" if right and output != right else ""


KIND = Kind("latency-table", "latency table (bytes, content, fields)", _prepare, _mutate, short=25)
