"""The weights of one network that lie beside its net.config.

    init                                        what once-for-all publishes, {"state_dict"}
    net.init                                    what NSGANetV2's evaluator writes
    checkpoint/model_best.pth.tar, checkpoint.pth.tar    what once-for-all's run manager writes, or a copy beside it

Blocks that are their shortcut alone have no tensors, so the n-th block that has some is the n-th bottleneck.
Source: mit-han-lab/once-for-all, `model_zoo.py`, `run_manager.py`; mikelzc1990/nsganetv2, `evaluator.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from hwnas.nets import Network
from hwnas.ofa.checkpoint import COUNTED, rename, shaped
from hwnas.ofa.network_files import ResolvedNetwork
from hwnas.ofa.state_dict import Weights, read_weights
from hwnas.space import Architecture, LayerSpec
from profilers.errors import BadInput

_FOLDERS = ("", "checkpoint")
_NAMES = ("init", "net.init", "model_best.pth.tar", "checkpoint.pth.tar")
NAMES = ", ".join(_NAMES)


def weights_beside(net_config: Path) -> Path | None:
    """The first of these files that is there."""
    found = (net_config.parent / folder / name for folder in _FOLDERS for name in _NAMES)
    return next((path for path in found if path.is_file()), None)


def read_network_weights(path: Path, network: ResolvedNetwork) -> tuple[Network, Weights]:
    """The network with these weights, in evaluation mode, and what was taken from the file.

    Raises:
        BadInput, FileProblem: as of `read_weights`; tensors that are missing, unknown or of another shape.
    """
    weights = read_weights(path)
    arch = network.arch if isinstance(network.arch, Architecture) else None
    found = Network(network.layers, arch)
    own, theirs = found.state_dict(), _named_as_ours(weights.tensors, network.layers)
    for name, (said, value) in theirs.items():
        if name not in own:
            raise BadInput(f"{path} has a tensor {said!r}", "those of the network of the net.config beside it")
        own[name] = shaped(value, own[name], said, path, "the net.config that it belongs to")
    if missing := sorted(name for name in own.keys() - theirs.keys() if not name.endswith(COUNTED)):
        got = f"{path} lacks {len(missing)} tensors of the network of the net.config beside it, as {missing[0]}"
        raise BadInput(got, "its own weights")
    found.load_state_dict(own)
    return found.eval(), weights


def _named_as_ours(tensors: Mapping[str, Tensor], layers: Sequence[LayerSpec]) -> dict[str, tuple[str, Tensor]]:
    """Tensors by our names, with theirs; a name that is not theirs stays."""
    mix = any(name.startswith("final_expand_layer.") for name in tensors)
    renamed = {name: rename(name, mix) for name in tensors if not name.endswith(COUNTED)}
    places = _places(sorted({block for name in renamed.values() if (block := _block(name)) is not None}), layers)
    return {_in_network(ours, places): (theirs, tensors[theirs]) for theirs, ours in renamed.items()}


def _places(blocks: Sequence[int], layers: Sequence[LayerSpec]) -> dict[str, int]:
    """The layer of each part of a supernet, by its name."""
    bottlenecks = [index for index, spec in enumerate(layers) if spec.kind == "mbconv"]
    after = [i for i, spec in enumerate(layers) if spec.kind == "conv" and i > 0]
    pairs = zip(blocks, bottlenecks, strict=False)  # of what is left over, the caller says that it does not fit
    places = {f"slots.{block - 1}" if block else "first": index for block, index in pairs}
    places |= dict(zip(("final", "mix"), after, strict=False))
    return {"stem": 0, "classifier": len(layers) - 1, **places}


def _block(name: str) -> int | None:
    match = re.match(r"slots\.(\d+)\.", name)
    return int(match[1]) + 1 if match else 0 if name.startswith("first.") else None


def _in_network(name: str, places: Mapping[str, int]) -> str:
    match = re.match(r"(slots\.\d+|\w+)\.(.+)", name)
    return f"layers.{places[match[1]]}.{match[2]}" if match and match[1] in places else name
