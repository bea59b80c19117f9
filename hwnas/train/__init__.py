"""Training: progressive shrinking of a supernet, fine-tuning of networks, recalibration and evaluation."""

from __future__ import annotations

from hwnas.train.config import FinetuneConfig, Phase, Recipe, SupernetConfig
from hwnas.train.evaluate import calibration_images, evaluate, recalibrate
from hwnas.train.finetune import Finetuning, finetune
from hwnas.train.shrink import train_supernet

__all__ = [
    "FinetuneConfig", "Finetuning", "Phase", "Recipe", "SupernetConfig", "calibration_images", "evaluate", "finetune",
    "recalibrate", "train_supernet",
]  # fmt: skip
