"""A run made by hand: random networks of `tiny`, synthetic objectives, a table with networks it was checked on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hwnas.report import CurvePoint, Engine, Iteration, ObjectiveInfo, RunData
from hwnas.search.archive import Evaluation
from hwnas.space import Architecture, get_space
from lut import Entry, LatencyTable, SpaceId
from lut.build.bench import Network
from lut.build.records import MeasuredNetwork, MeasurementBatch
from lut.estimate.correction import Interval
from profilers.base import Options
from profilers.timing.fingerprint import Fingerprint
from profilers.timing.measurement import Measurement

SPACE = get_space("tiny")
DEVICE = "Simulated CPU 3000"
OBJECTIVES = (
    ObjectiveInfo("top1", "%", False, "evaluated: supernet weights, 500 validation images of digits"),
    ObjectiveInfo("params", "", True, "exact: counted from the layers"),
    ObjectiveInfo("madds", "", True, "exact: counted from the layers"),
    ObjectiveInfo("cpu_ms", "ms", True, f"predicted by a measured table of {DEVICE}, onnxruntime, batch 1", "latency"),
    ObjectiveInfo("gpu_ms", "ms", True, "estimated: roofline of GTX 1080 Ti, batch 64", "latency"),
)


def fingerprint() -> Fingerprint:
    return Fingerprint(
        DEVICE, DEVICE, 2, None, "performance", 3000.0, ("avx2",), "onnxruntime", "1.0", 1, "fp32", 1, "all", "steady",
        2.0, (0, 1), 3000.0, 8.0, "Linux", "3.11", 0.1,
    )  # fmt: skip


def table(noise: float = 0.01) -> LatencyTable:
    """Milliseconds in proportion to MAdds; 30 whole networks, the first third of them used for nothing here."""
    entries = {x.key: Entry(2e-3 + 1.2e-7 * x.madds, 1e-5, 9) for x in SPACE.all_layers()}
    found = LatencyTable(
        SpaceId.of(SPACE), entries, "measured", "in-context", DEVICE, Options(), fingerprint(),
        interval=Interval(0.97, 1.03, 0.95, 30),
    )  # fmt: skip
    rng = np.random.default_rng(5)
    genes = SPACE.sample(30, rng)
    ms = found.bind(SPACE).predict(genes).ms * (1 + noise * rng.standard_normal(30))
    networks = [
        MeasuredNetwork.of(Network(a), Measurement(a.id, t, 0.99 * t, 1.01 * t))
        for a, t in zip(SPACE.decode(genes), ms.tolist(), strict=True)
    ]
    batch = MeasurementBatch("networks 1", {}, networks, [1.0, 2.0, 3.0], 1.0, 100, 1)
    verify = {"networks": 60, "mape": 0.012, "within_5": 1.0, "within_10": 1.0, "coverage": 0.96, "kendall_tau": 0.95}
    return replace(found, observations={"batches": [batch.to_json()]}, verify=verify)


def gpu_table() -> LatencyTable:
    entries = {x.key: Entry(1e-2 + 3e-8 * x.madds, 1e-3, 1) for x in SPACE.all_layers()}
    return LatencyTable(
        SpaceId.of(SPACE), entries, "estimated", "roofline", "GTX 1080 Ti", Options(precision="fp32", batch=64)
    )


def evaluation(arch: Architecture, values: dict, iteration: int = 0, error: str | None = None) -> Evaluation:
    return Evaluation(0, iteration, "failed" if error else "ok", arch, (), values, error, 1.0)


def evaluations(count: int = 120, initial: int = 40, step: int = 10, seed: int = 0) -> list[Evaluation]:
    rng = np.random.default_rng(seed)
    archs = SPACE.decode(SPACE.sample(count, rng))
    genes = SPACE.encode(archs)
    cpu, gpu = table().bind(SPACE).predict(genes).ms, gpu_table().bind(SPACE).predict(genes).ms
    rows = []
    for i, arch in enumerate(archs):
        layers = SPACE.layers(arch)
        params, madds = (sum(getattr(x, k) for x in layers) for k in ("params", "madds"))
        drift = max(0, i - initial) / count
        top1 = 99 - 9 * np.exp(-madds / 4e5) - 2 * (32 - arch.r) / 16 + 1.2 * drift + 0.5 * rng.standard_normal()
        values = {"top1": float(min(top1, 99.8)), "params": params, "madds": madds, "cpu_ms": cpu[i], "gpu_ms": gpu[i]}
        iteration = 0 if i < initial else 1 + (i - initial) // step
        rows.append(evaluation(arch, values, iteration))
    return rows


def iterations(count: int = 120, initial: int = 40, step: int = 10) -> list[Iteration]:
    rng = np.random.default_rng(1)
    found = [Iteration(0, initial, 0.55)]
    for k in range(1, (count - initial) // step + 1):
        tau = 0.75 - 0.5 * np.exp(-k / 3) + 0.05 * rng.standard_normal()
        name = ("gp", "rbf", "cart")[int(rng.integers(3))]
        hv = 0.55 + 0.16 * (1 - np.exp(-k / 3))
        found.append(Iteration(k, initial + step * k, hv, 0.9 * np.exp(-k / 6), min(tau * 1.2, 0.98), tau, name, 2.0))
    return found


def random_curve() -> list[CurvePoint]:
    rng = np.random.default_rng(2)
    return [
        CurvePoint(n, 0.55 + 0.08 * (1 - np.exp(-(n - 40) / 60)) + 0.006 * rng.standard_normal())
        for n in range(40, 121, 10)
        for _ in range(3)
    ]


def sheet(row: Evaluation, seed: int = 0, name: str | None = None) -> dict:
    """A datasheet as `hwnas.export.pipeline` makes it, of an engine that was never built."""
    rng = np.random.default_rng([seed, 3])
    cpu = float(row.objectives["cpu_ms"])
    measured = cpu * (1 + 0.012 * rng.standard_normal())
    how = {o.name: (o.unit, o.how) for o in OBJECTIVES}
    objectives = {k: {"value": v, "unit": how[k][0], "how": how[k][1]} for k, v in row.objectives.items() if k in how}
    objectives["cpu_ms"] |= {"low": 0.97 * cpu, "high": 1.03 * cpu}
    predicted = {"value": cpu, "unit": "ms", "how": f"predicted by the in-context table of {DEVICE}"}
    timed = {"value": measured, "unit": "ms", "how": "measured: onnxruntime, batch 1, 1 thread(s), fp32"}
    return {
        "name": name or row.arch.id, "created": "2026-01-01T00:00:00+00:00", "version": "0",
        "architecture": row.arch.to_json(),
        "space": {"name": "tiny", "signature": SPACE.signature, "classes": 10}, "model": None,
        "inputs": {"input": {"shape": [1, 1, row.arch.r, row.arch.r], "dtype": "float32"}},
        "outputs": {"logits": {"shape": [1, 10], "dtype": "float32"}}, "reference": "torch",
        "engine": {"name": "onnxruntime", "profiler": "onnxruntime", "file": "model.onnx", **vars(Options())},
        "weights": "supernet", "objectives": objectives,
        "latency": {
            "predicted": {**predicted, "low": 0.97 * cpu, "high": 1.03 * cpu},
            "measured": {**timed, "low": 0.993 * measured, "high": 1.006 * measured},
            "within_interval": bool(0.97 * cpu <= measured <= 1.03 * cpu), "timing": None,
            "interrupted": {
                "predicted": {"value": None, "unit": "ms", "how": "not measured: no table of that state given"},
                "measured": {"value": 1.2 * measured, "unit": "ms", "how": "measured: onnxruntime, interrupted"},
                "within_interval": None, "timing": None,
            },
        },
        "parity": {},
        "accuracy": {"dataset": "digits", "split": "test", "top1": {
            "value": float(row.objectives["top1"]) - 0.4, "unit": "%",
            "how": "measured: this engine on the 360 images of digits's test split"}},
        "preprocessing": {
            "layout": "NCHW, float32", "size": row.arch.r, "channels": 1, "mode": "L", "mean": [0.3], "std": [0.4],
            "resize": row.arch.r, "crop": 1.0, "interpolation": "bilinear, antialiased", "white": None, "note": "",
            "labels": [str(i) for i in range(10)],
        },
        "files": {}, "fingerprint": fingerprint().to_json(), "snippet": "", "commands": [],
        "runtime_costs": {}, "engine_selection": {},
        "request": {
            "engine": "onnxruntime", **vars(Options()), "gpus": [], "max_accuracy_drop": None, "calibration": None,
        },
    }  # fmt: skip


def full_run() -> RunData:
    """Everything that a run can have."""
    broken = evaluation(evaluations(1)[0].arch, {"top1": None}, 3, "no memory")
    run = RunData(
        "demo", SPACE, OBJECTIVES, [*evaluations(), broken],
        iterations(), (), {"cpu_ms": table(), "gpu_ms": gpu_table()}, random_curve(), (),
        {"cpu_ms": 0.075}, 'space = "tiny"\nseed = 1\n\n[budget]\ncpu_ms = 0.075\n',
    )  # fmt: skip
    pair = np.flatnonzero(run.front_of([0, 3]))
    order = pair[np.argsort(run.values[pair, 3])]
    picked = order[np.linspace(0, len(order) - 1, 4).round().astype(int)]
    engines = [Engine(sheet(run.done[i], k), f"engines/{run.done[i].arch.id}") for k, i in enumerate(picked)]
    return replace(run, chosen=engines)
