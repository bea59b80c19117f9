"""Which card it is, what its clocks do, and what it reaches without hwnas: a measure for all that follows."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from tools.gpu_check.check import Check
from tools.gpu_check.findings import Findings, LeftOut

ASKED = (
    "driver_version", "vbios_version", "pstate", "temperature.gpu", "clocks.sm", "clocks.mem", "clocks.max.sm",
    "clocks.max.mem", "power.draw", "power.limit", "ecc.mode.current", "mig.mode.current", "compute_mode",
    "clocks_throttle_reasons.active",
)  # fmt: skip
_LOAD_SECONDS = 0.4  # of each measured load
_SIDE, _PRETENDED_SIDE = 8192, 512
_COPIED = 2**30  # bytes


def find(check: Check, found: Findings) -> None:
    """The card's memory; LeftOut, with the reason, unless torch can use one."""
    import torch

    built = f"torch {torch.__version__}, built for {f'CUDA {torch.version.cuda}' if torch.version.cuda else 'no CUDA'}"
    try:
        torch.zeros(1, device="cuda")
    except Exception as error:
        said, *_ = str(error).split(". ")[0].splitlines() or [type(error).__name__]
        raise LeftOut(f"no NVIDIA card that torch can use here ({built}: {said})") from error
    found.figure("memory", torch.cuda.get_device_properties(0).total_memory / 1e9, "GB")


def run(check: Check, found: Findings) -> None:
    """The part."""
    import torch

    found.figure("torch", torch.__version__)
    if check.pretended:
        _cpu(found)
        return
    _properties(found)
    _state(found, "before any load")
    _rates(found)


def _cpu(found: Findings) -> None:
    import torch

    from profilers.timing.fingerprint import cpu_model

    found.figure("CPU in the card's place", cpu_model())
    a = torch.randn(_PRETENDED_SIDE, _PRETENDED_SIDE)
    seconds = _seconds(partial(torch.matmul, a, a), lambda: None)
    found.figure(f"matrix product of {_PRETENDED_SIDE}, fp32", 2 * _PRETENDED_SIDE**3 / seconds / 1e12, "TFLOP/s")


def _properties(found: Findings) -> None:
    import torch

    from profilers.timing.fingerprint import nvidia_gpu

    card, cudnn = torch.cuda.get_device_properties(0), getattr(torch.backends, "cudnn", None)
    found.figure("card", card.name)
    found.figure("name and driver", nvidia_gpu() or None)
    found.figure("cards that torch sees", torch.cuda.device_count())
    found.figure("compute capability", f"{card.major}.{card.minor}")
    found.figure("multiprocessors", card.multi_processor_count)
    found.figure("memory", card.total_memory / 1e9, "GB")
    found.figure("CUDA of torch", str(torch.version.cuda))
    found.figure("cuDNN of torch", str(cudnn.version()) if cudnn else None)


def _state(found: Findings, when: str) -> None:
    """What NVML says of the card now, or else nvidia-smi."""
    from profilers.timing.card_state import card_sensor

    sensor = card_sensor()
    facts = list(map(list, sensor.facts().items()))
    if not facts:
        found.note(sensor.missing)
        facts = _nvidia_smi(found)
    found.grid(f"The card's state, {when}", ["what", "value"], facts)


def _nvidia_smi(found: Findings) -> list[list[str]]:
    """[what, value] of each; what this nvidia-smi does not know is left out."""
    asked = list(ASKED)
    for _ in ASKED:
        command = ["nvidia-smi", f"--query-gpu={','.join(asked)}", "--format=csv,noheader", "--id=0"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            found.note(f"nvidia-smi: {error}")
            return []
        if done.returncode == 0:
            return [[name, value.strip()] for name, value in zip(asked, done.stdout.split(","), strict=False)]
        if not (unknown := [name for name in asked if f'"{name}"' in done.stdout + done.stderr]):
            found.note(f"nvidia-smi: {done.stdout.strip()[:200]} {done.stderr.strip()[:200]}")
            return []
        asked = [name for name in asked if name not in unknown]
    return []


def _rates(found: Findings) -> None:
    """What the card reaches: matrix products by precision, and a copy on the card; its clocks meanwhile."""
    import torch

    for name, dtype in (("fp32", "float32"), ("TF32", "float32"), ("bf16", "bfloat16"), ("fp16", "float16")):
        torch.backends.cuda.matmul.allow_tf32 = name == "TF32"
        a = torch.randn(_SIDE, _SIDE, device="cuda", dtype=getattr(torch, dtype))
        seconds = _seconds(partial(torch.matmul, a, a), torch.cuda.synchronize)
        found.figure(f"matrix product of {_SIDE}, {name}", 2 * _SIDE**3 / seconds / 1e12, "TFLOP/s")
    _state(found, "just after a load")
    a = torch.empty(_COPIED, device="cuda", dtype=torch.uint8)
    seconds = _seconds(partial(torch.empty_like(a).copy_, a), torch.cuda.synchronize)
    found.figure("copy on the card, read and written", 2 * _COPIED / seconds / 1e9, "GB/s")


def _seconds(work: Callable[[], Any], wait: Callable[[], Any]) -> float:
    """Of one call, the mean of as many as take `_LOAD_SECONDS`, after three that are not counted."""
    _several(work, wait, 3)
    began, calls = time.perf_counter(), 0
    while (took := time.perf_counter() - began) < _LOAD_SECONDS:
        calls += _several(work, wait, 4)
    return took / calls


def _several(work: Callable[[], Any], wait: Callable[[], Any], calls: int) -> int:
    for _ in range(calls):
        work()
    wait()
    return calls
