"""The example with which each command's --help ends, and what `hwnas` alone shows."""

from __future__ import annotations

from typing import Any

USES = """\b
Profile a device:       hwnas lut build --space mbv3 --engine onnxruntime --out cpu.json
Any model, by layer:    hwnas profile model.onnx
Search for a budget:    hwnas init --images DIR, then hwnas run
Ship an engine:         hwnas export RUN --engine auto --out engines, then hwnas validate engines/ID
"""

EXAMPLES = {
    "engines": "hwnas engines --device ssh://me@board",
    "count": "hwnas count --space mbv3 --archs networks.jsonl",
    "init": "hwnas init --images pictures --budget 10",
    "run": "hwnas run recipe.toml --dry-run",
    "fetch": "hwnas fetch acc_predictor.pth note10",
    "search": "hwnas search search.toml --out runs/mine",
    "archive": "hwnas archive runs/mine --format csv",
    "select": 'hwnas select runs/mine --budget "cpu_ms<=10" -n 3',
    "insights": "hwnas insights runs/mine",
    "export": "hwnas export runs/mine --engine auto --out engines",
    "validate": "hwnas validate engines/ID",
    "profile": "hwnas profile model.onnx --engine all --html model.html",
    "compare": "hwnas compare runs/mine --models mobilenet_v3_large,resnet18",
    "report": "hwnas report runs/mine",
    "watch": "hwnas watch runs/mine",
    "spaces": "hwnas spaces",
    "space": "hwnas space mbv3",
    "lut build": "hwnas lut build --space mbv3 --engine onnxruntime --out cpu.json",
    "lut verify": "hwnas lut verify cpu.json --archs 100",
    "lut predict": "hwnas lut predict cpu.json --archs networks.jsonl",
    "lut show": "hwnas lut show cpu.json --html cpu.html",
    "lut estimate": 'hwnas lut estimate --space mbv3 --gpu "RTX 4090" --out gpu.json',
    "lut plan": "hwnas lut plan --space mbv3 -n 20 --out plan.jsonl",
    "lut measure": "hwnas lut measure plan.jsonl --batch 64 --out measured.jsonl",
    "lut fit": 'hwnas lut fit --networks measured.jsonl --device "my GPU" --out gpu.json',
    "lut export": "hwnas lut export cpu.json --format nsganetv2 --out cpu.yaml",
    "lut import": "hwnas lut import --format nsganetv2 --space mbv3 i7-8700K_lut.yaml --out i7.json",
    "train supernet": "hwnas train supernet supernet.toml",
    "train finetune": "hwnas train finetune finetune.toml",
    "devices list": "hwnas devices list",
    "devices add": "hwnas devices add board ssh://me@192.168.0.7",
    "devices check": "hwnas devices check board",
    "devices remove": "hwnas devices remove board",
}


def add_to(app: Any, group: str = "") -> None:
    """Give each command of an application its example."""
    for found in app.registered_commands:
        name = f"{group}{found.name or found.callback.__name__}"
        if name in EXAMPLES:
            found.epilog = f"\b\nExample:\n  {EXAMPLES[name]}"
    for part in app.registered_groups:
        add_to(part.typer_instance, f"{group}{part.name or part.typer_instance.info.name} ")
