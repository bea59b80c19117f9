"""Training: progressive shrinking of a supernet, fine-tuning of networks, recalibration and evaluation.

What a network is made of is in `hwnas.nets`, the images in `hwnas.data`. A search asks for accuracies through
`hwnas.accuracy`, never here.
"""

from __future__ import annotations

from hwnas.train.config import FinetuneConfig, Phase, Recipe, Regularise, SupernetConfig
from hwnas.train.evaluate import calibration_batches, evaluate, recalibrate
from hwnas.train.finetune_networks import Finetuning
from hwnas.train.one_network import Training, finetune
from hwnas.train.progressive_shrinking import train_supernet

__all__ = [
    "FinetuneConfig",
    "Finetuning",
    "Phase",
    "Recipe",
    "Regularise",
    "SupernetConfig",
    "Training",
    "calibration_batches",
    "evaluate",
    "finetune",
    "recalibrate",
    "train_supernet",
]
