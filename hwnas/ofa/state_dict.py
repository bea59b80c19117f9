"""The weights in a checkpoint, among what trainers put beside them.

once-for-all's `save_model` writes {"epoch", "best_acc", "optimizer", "state_dict", "dataset"}, its `model_best.pth.tar`
and published files {"state_dict"}; trainers built on timm add {"arch", "args", "metric", "state_dict_ema", …}. Averaged
weights (EMA) are taken before the last step's, as timm does, for they are what was validated.
Source: mit-han-lab/once-for-all, `run_manager.py`; huggingface/pytorch-image-models, `load_state_dict`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from hwnas.ofa.torch_file import read_torch_file
from profilers.errors import BadInput

AVERAGED = ("state_dict_ema", "model_ema", "ema_state_dict", "ema")
PLAIN = ("state_dict", "model_state_dict", "model", "net", "network", "weights")
_WRAPPERS = ("module.", "_orig_mod.")  # of DataParallel and AveragedModel, of torch.compile
_COUNTERS = ("n_averaged", "total_ops", "total_params")  # of AveragedModel, and of thop, which counts operations


@dataclass(frozen=True)
class Weights:
    """Tensors by their names without wrappers; `key` is where they stood ("" at the top), `others` those not taken.

    `epoch` is the one that the file says, counted from 0 as once-for-all does.
    """

    tensors: Mapping[str, Tensor]
    key: str
    others: tuple[str, ...] = ()
    epoch: int | None = None

    def __str__(self) -> str:
        """Which weights they are, for people."""
        averaged = " (averaged, EMA)" if self.key in AVERAGED else ""
        parts = [f"its {self.key}{averaged}" if self.key else "its tensors"]
        parts += [f"and not its {', '.join(self.others)}"] if self.others else []
        parts += [f"after epoch {self.epoch}"] if self.epoch is not None else []
        return " ".join(parts)


def read_weights(path: Path) -> Weights:
    """The weights of a checkpoint.

    Raises:
        BadInput, FileProblem: as of `read_torch_file`; no named tensors, or something else among them.
    """
    content = read_torch_file(path)
    if not isinstance(content, Mapping):
        raise BadInput(f"{path} holds a {type(content).__name__}", 'a torch file {"state_dict": tensors}')
    key = next((k for k in AVERAGED + PLAIN if _is_group(content.get(k))), "")
    epoch = content.get("epoch")
    others = tuple(k for k in AVERAGED + PLAIN if k != key and _is_group(content.get(k)))
    tensors = _named_tensors(content[key] if key else content, path)
    return Weights(tensors, key, others, epoch if type(epoch) is int else None)


def _is_group(value: Any) -> bool:
    return isinstance(value, Mapping) and any(isinstance(v, Tensor) for v in value.values())


def _named_tensors(group: Mapping[Any, Any], path: Path) -> dict[str, Tensor]:
    found = {_unwrapped(str(k)): v for k, v in group.items() if str(k).rpartition(".")[2] not in _COUNTERS}
    wrong = next((name for name, value in found.items() if not isinstance(value, Tensor)), None)
    if wrong is not None or not found:
        got = f"{path} does not hold named tensors" + (f" ({wrong!r} is none)" if wrong is not None else "")
        raise BadInput(got, 'a torch file {"state_dict": tensors}')
    return found


def _unwrapped(name: str) -> str:
    for wrapper in _WRAPPERS:
        if name.startswith(wrapper):
            return _unwrapped(name.removeprefix(wrapper))
    return name
