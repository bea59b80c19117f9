"""The ten lines of the design, as a stranger types them; strict mypy reads this file with the product's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hwnas


def my_function(arch: dict[str, Any]) -> float:
    """A made-up accuracy: larger networks are better, with less and less gain."""
    work: int = sum(k * e for k, e in zip(arch["ks"], arch["e"], strict=True))
    return 90.0 - 40.0 / (1.0 + 0.05 * work)


def ten_lines(folder: Path, space: str = "mbv3", engine: str = "openvino", **size: Any) -> hwnas.Engine:
    """Profile, build a table, verify it, search, select, export; gives the engine."""
    resolutions = size.pop("resolutions", None)
    hwnas.Networks.sample(space, n=1)[0].onnx(folder / "model.onnx")
    cpu = hwnas.Device("onnxruntime", threads=1)
    print(cpu.profile(folder / "model.onnx"))
    table = cpu.build_table(
        space, out=folder / "cpu.json", resolutions=resolutions, budget_seconds=size.pop("seconds", None)
    )
    print(table.verify(n=size.pop("n", 100)))
    run = hwnas.search(
        space=space,
        accuracy=my_function,
        tables={"cpu_ms": table},
        objectives=["top1", "params", "madds", "cpu_ms"],
        budget={"cpu_ms": 12},
        initial=size.pop("initial", 100),
        iterations=size.pop("iterations", 30),
        per_iteration=8,
        resolutions=resolutions,
        out=folder / "runs/i7",
    )
    nets = run.select("cpu_ms<=10", n=3)
    print(run, nets)
    return nets[0].export(engine, out=folder / "engines/a", random_weights=True)


def asked(folder: Path, space: str = "mbv3", initial: int = 100, iterations: int = 30, most: int = 10**9) -> hwnas.Run:
    """The same search by ask and tell; stops after `most` answers, as a job that ran out of time."""
    with hwnas.open_search(
        space=space, objectives=["top1", "params"], initial=initial, iterations=iterations, out=folder
    ) as search:
        while networks := search.ask(8):
            for network in networks:
                if most <= 0:
                    return hwnas.Run(folder)
                search.tell(network, top1=my_function(network.to_json()))
                most -= 1
    return hwnas.Run(folder)
