"""The example with which each command's --help ends, and what `hwnas` alone shows."""

from __future__ import annotations

from typing import Any

USES = """\b
Profile a device:
  hwnas lut build --space mbv3 --engine onnxruntime --out cpu.json
  hwnas profile model.onnx
Search for a budget:
  hwnas init --images DIR
  hwnas run
Ship an engine:
  hwnas export RUN --engine auto --out engines
  hwnas validate engines/ID
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

SHORT = {  # where the first sentence is cut in a list of 80 columns
    "engines": "List the engines of a machine, and how to get others.",
    "count": "Count parameters and multiply-adds of architectures.",
    "init": "Look at images, machine and weights, and write a recipe.",
    "run": "Carry out a recipe, from the table to the report.",
    "fetch": "Download the authors' public files into a cache.",
    "search": "Search networks: accuracy against other objectives.",
    "select": "Choose networks of the front within budgets.",
    "insights": "Count which choices occur on the run's fronts.",
    "export": "Build engines, check, measure and describe them.",
    "validate": "Measure an exported engine again.",
    "profile": "Measure any model, end to end and by layer.",
    "compare": "Measure the chosen networks beside known ones.",
    "report": "Write runs as one HTML file: what to ship, and why.",
    "watch": "Show the report of runs during their search.",
    "spaces": "List search spaces, with their sizes and times.",
    "space": "Show what the networks of a space cost.",
    "lut build": "Measure a table; the same command resumes it.",
    "lut verify": "Compare a table with new measurements.",
    "lut predict": "Predict latencies, with intervals.",
    "lut show": "Show fingerprint, figures and a heat map.",
    "lut estimate": "Estimate a table from a GPU's data sheet.",
    "lut plan": "Propose the most informative networks to measure.",
    "lut measure": "Measure networks end to end, or write a bundle.",
    "lut fit": "Fit a table to networks measured end to end.",
    "train supernet": "Train a supernet by progressive shrinking.",
    "train finetune": "Fine-tune networks, or train them from scratch.",
    "devices check": "Report the device's state, before you measure.",
}


def add_to(app: Any, group: str = "") -> None:
    """Give each command of an application its example, and its line in the list of commands."""
    for found in app.registered_commands:
        name = f"{group}{found.name or found.callback.__name__}"
        found.short_help = SHORT.get(name)
        if name in EXAMPLES:
            found.epilog = f"\b\nExample:\n  {EXAMPLES[name]}"
    for part in app.registered_groups:
        add_to(part.typer_instance, f"{group}{part.name or part.typer_instance.info.name} ")
