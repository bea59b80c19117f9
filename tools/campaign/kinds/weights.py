"""Networks and supernets in safetensors: their bytes, the header of the format, and our own header in it."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from tools.campaign.case import Case, Kind
from tools.campaign.mutations import HOSTILE, as_json, of_bytes, of_tree

FILES = ("supernet", "network")
SHAPES: tuple[Any, ...] = (0, -1, 2**31, 2**62, 2**63, 2**64, 10**30, 1.5, "3", None, [])


def _prepare(folder: Path) -> None:
    import torch

    from hwnas import get_space
    from hwnas.nets import Network, Supernet
    from hwnas.nets.checkpoint import Provenance, save_network, save_supernet

    torch.manual_seed(0)
    space = get_space("tiny", [32])
    where = Provenance("digits", (0.5,), (0.25,), {"epochs": 3})
    (arch,) = space.decode(space.sample(1, np.random.default_rng(0)))
    save_supernet(folder / "supernet", Supernet(space), where)
    save_network(folder / "network", Network(space.layers(arch), arch), space, where)
    for name in FILES:
        (folder / f"{name}.right").write_text(loaded(name, folder / name))


def _mutate(random: Random, prepared: Path, here: Path) -> Case:
    name = random.choice(FILES)
    data = (prepared / name).read_bytes()
    damaged = random.random() < 0.4
    if damaged:
        size = 8 + int.from_bytes(data[:8], "little")
        what, head = of_bytes(random, data[:size])
        what, data = (what, head + data[size:]) if random.random() < 0.7 else of_bytes(random, data)
    else:
        what, data = _header(random, data)
    (here / "x.safetensors").write_bytes(data)
    right = (prepared / f"{name}.right").read_text()
    call = partial(loaded, name, Path("x.safetensors"))
    return Case(f"{name}: {what}", (call,), lambda i, out: "" if not damaged or out == right else "other weights")


def _header(random: Random, data: bytes) -> tuple[str, bytes]:
    size = int.from_bytes(data[:8], "little")
    head = json.loads(data[8 : 8 + size])
    if random.random() < 0.6:
        own = json.loads(head["__metadata__"]["hwnas"])
        what, own = of_tree(random, own, HOSTILE, 2)
        text = _json(own).decode()
        head["__metadata__"] |= {"hwnas": text, "hwnas_sha256": hashlib.sha256(text.encode()).hexdigest()}
    elif random.random() < 0.5:
        name = random.choice([key for key in head if key != "__metadata__"])
        entry: dict[str, Any] = head[name]
        key = random.choice(("shape", "data_offsets"))
        entry[key] = [random.choice(SHAPES) for _ in entry[key]] if random.random() < 0.5 else random.choice(SHAPES)
        what = f"{name}: {key}"
    else:
        what, head = of_tree(random, head, HOSTILE, 2)
    written = _json(head)
    return what, len(written).to_bytes(8, "little") + written + data[8 + size :]


def _json(tree: Any) -> bytes:
    try:
        return as_json(tree)
    except RecursionError:  # changes inside of changes
        return b"[" * 5000


def loaded(name: str, path: Path) -> str:
    """What is known of a file: its space, where it comes from, and a digest of its weights."""
    from hwnas.nets.checkpoint import load_network, load_supernet

    if name == "supernet":
        module, where = load_supernet(path)
        space = module.space
    else:
        module, space, where = load_network(path)  # type: ignore[assignment]
    state = module.state_dict()
    digest = hashlib.sha256(b"".join(key.encode() + state[key].numpy().tobytes() for key in sorted(state))).hexdigest()
    return f"{space.to_json()!a} {space.resolutions} {where!a} {digest}"


KIND = Kind("weights", "networks and supernets, safetensors", _prepare, _mutate, short=25)
