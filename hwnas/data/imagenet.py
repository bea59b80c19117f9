"""ImageNet 2012: train/ and val/ with a folder a WordNet id. 10,000 training images are held out, val/ is the test.

torchvision.datasets.ImageNet unpacks the published archives into these folders. Names of classes come from its
meta.bin if that is there, else from torchvision if there are 1,000 folders, else they are the WordNet ids.
Source: Russakovsky et al. 2015; the split is NSGANetV2's, section 4.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from hwnas.data.colour import PHOTOS
from hwnas.data.damaged import open_files
from hwnas.data.dataset import Dataset
from hwnas.data.listing import Folder, check_root, list_split
from hwnas.data.reference import Reference
from hwnas.data.splits import hold_out
from profilers.errors import BadInput

HELD_OUT = 10_000
CLASSES = 1000
_UNPACK = "torchvision.datasets.ImageNet(DIR, split) for split 'train' and 'val', which unpacks the archives in DIR"


def load_imagenet(reference: Reference) -> Dataset:
    """ImageNet, or some of its classes."""
    folder, root = Folder.of(reference), reference.folder
    check_root(folder, reference)
    if not (root / "val").is_dir():
        raise BadInput(f"no folder val in {root}", "train/WNID/*.JPEG and val/WNID/*.JPEG", _UNPACK)
    wnids = folder.classes("train")
    train, test = list_split(folder, "train", wnids), list_split(folder, "val", wnids)
    folder.passed.say(root)
    stays, held = hold_out(train.labels, HELD_OUT)
    listings = {"train": train.keep(stays), "val": train.keep(held), "test": test}
    return open_files(reference, root, listings, _names(root, list(wnids)), PHOTOS)


def _names(root: Path, wnids: Sequence[str]) -> list[str]:
    """The first name of each class."""
    if (root / "meta.bin").is_file():
        return _names_of_meta(root, wnids)
    return list(imagenet_names()) if len(wnids) == CLASSES else list(wnids)


@cache
def imagenet_names() -> tuple[str, ...]:
    """The 1,000 names in the order of the WordNet ids, as torchvision has them."""
    from torchvision.models import MobileNet_V3_Large_Weights

    return tuple(str(name) for name in MobileNet_V3_Large_Weights.DEFAULT.meta["categories"])


def _names_of_meta(root: Path, wnids: Sequence[str]) -> list[str]:
    from torchvision.datasets.imagenet import load_meta_file  # a torch file, read with weights_only

    try:
        known = load_meta_file(root)[0]
        return [str(known[wnid][0]) for wnid in wnids]
    except Exception as error:  # whatever torch makes of another file
        got = f"{root / 'meta.bin'} does not name the classes ({type(error).__name__})"
        raise BadInput(got, "the file that torchvision.datasets.ImageNet writes", "remove it") from error
