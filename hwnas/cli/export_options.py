"""The options of `hwnas export` and `hwnas validate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwnas.export.engine_selection import MAX_DROP, TOLERANCE
from hwnas.export.engines import NAMES

# The source, and which networks of it
SourcePath = Annotated[
    str,
    typer.Argument(
        metavar="RUN|FILE|MODEL",
        help="A run's folder; a file: ARCH.json, net.config or NET.safetensors; any MODEL.onnx or python:module:NAME.",
    ),
]
Ids = Annotated[list[str] | None, typer.Option("--id", help="A network of the run; may be given again.")]
Front = Annotated[bool, typer.Option("--all", help="The whole front; if interrupted, the same command resumes.")]
Optimistic = Annotated[bool, typer.Option(help="Judge latency by the point prediction, not by its interval.")]
SpaceOfFile = Annotated[
    str | None, typer.Option("--space", help="Search space of ARCH.json, if the file does not name it.")
]
Tables = Annotated[
    list[Path] | None, typer.Option("--table", help="Latency table that predicts the engine, beside those of a run.")
]

# Its weights
Supernet = Annotated[Path | None, typer.Option(help="Supernet to inherit weights from; by default the run's own.")]
RandomWeights = Annotated[bool, typer.Option("--random-weights", help="Untrained weights, to measure latency only.")]
DatasetName = Annotated[
    str | None, typer.Option("--dataset", help="Data set for BatchNorm's statistics, as in imagenet:DIR.")
]
Images = Annotated[
    Path | None,
    typer.Option(
        help="Images for the BatchNorm statistics of a published supernet, or to measure a MODEL's accuracy on: one "
        "folder a class."
    ),
]
NoRecalibration = Annotated[
    bool, typer.Option("--no-recalibration", help="Keep the BatchNorm statistics of a published supernet.")
]

# Of a model made elsewhere
Shape = Annotated[
    list[str] | None,
    typer.Option("--shape", help="Of a MODEL's input, as in image=1x3x224x224; may be given again."),
]
Labels = Annotated[Path | None, typer.Option(help="File with a line for each output of a MODEL, in their order.")]
Preprocessing = Annotated[
    str | None,
    typer.Option(help="How a MODEL's images are prepared: imagenet, none (values of 0 to 1), or FILE.json."),
]

# The engine
Out = Annotated[Path, typer.Option("--out", help="Output folder, with a folder for each of several networks.")]
EngineName = Annotated[
    str,
    typer.Option(
        "--engine", help=f"{', '.join(NAMES)}, another of hwnas engines, python:module:Class; or auto: the fastest."
    ),
]
Precision = Annotated[
    str | None, typer.Option("--precision", help="What the engine computes in, by default fp32; auto tries all.")
]
Batch = Annotated[
    str | None, typer.Option(help="Images per run; by default 1, on a GPU 64. dynamic: any number, measured at 1.")
]
Threads = Annotated[int, typer.Option(help="Threads of the engine.")]
Gpus = Annotated[list[str] | None, typer.Option("--target", help="GPU to build for, as in sm86; may be given again.")]
MaxDrop = Annotated[
    float | None,
    typer.Option("--max-accuracy-drop", help=f"Points of top-1 that auto may lose; by default {MAX_DROP}."),
]
Tolerance = Annotated[
    float | None,
    typer.Option(
        help="With auto, where no labelled images judge: the largest difference of an output, relative to its largest "
        f"value; by default {TOLERANCE}."
    ),
]
Calibration = Annotated[
    Path | None,
    typer.Option(help="To calibrate int8 with: a folder of images, or an .npz with an array (n, …) for each input."),
]
Compiled = Annotated[
    bool | None,
    typer.Option("--compiled/--no-compiled", help="With auto: time torch.compile, too, which takes up to minutes."),
]
Also = Annotated[
    list[str] | None,
    typer.Option(
        help="With auto: an engine otherwise left out, as compiling takes minutes (torch, torch-cuda); may be given "
        "again."
    ),
]
Quick = Annotated[bool, typer.Option(help="Leave out throughput, memory and cold start.")]

# Of `hwnas validate`
ExportedFolder = Annotated[Path, typer.Argument(metavar="DIR", help="An exported folder.")]
Force = Annotated[bool, typer.Option(help="Measure even if this is another device or setting.")]
Rebuild = Annotated[bool, typer.Option(help="First build the engine again for this machine.")]
