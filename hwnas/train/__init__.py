"""Training: progressive shrinking of a supernet, fine-tuning of networks, recalibration and evaluation."""

from __future__ import annotations

from hwnas.train.config import FinetuneConfig, Phase, Recipe, Regularise, SupernetConfig
from hwnas.train.evaluate import calibration_batches, evaluate, recalibrate
from hwnas.train.finetune import Training, finetune
from hwnas.train.finetune_job import Finetuning
from hwnas.train.shrink import train_supernet

__all__ = [
    "FinetuneConfig", "Finetuning", "Phase", "Recipe", "Regularise", "SupernetConfig", "Training",
    "calibration_batches", "evaluate", "finetune", "recalibrate", "train_supernet",
]  # fmt: skip
