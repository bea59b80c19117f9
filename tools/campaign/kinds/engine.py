"""The files of an exported engine's folder, with hashes in its datasheet that fit."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from tools.campaign.case import Case, Kind
from tools.campaign.kinds import _engines
from tools.campaign.mutations import of_bytes

REFERENCE = "reference.npz"
Arrays = dict[str, Any]


def _prepare(folder: Path) -> None:
    _engines.exported(folder)


def _mutate(random: Random, prepared: Path, here: Path) -> Case:
    shutil.copytree(prepared / "engine", here / "engine")
    files = list(json.loads((here / "engine" / _engines.SHEET).read_text())["files"])
    name = random.choice((*files, *[REFERENCE] * 2 * len(files)))
    path = here / "engine" / name
    if name == REFERENCE and random.random() < 0.7:
        what, data = _archive(random, path)
    else:
        what, data = of_bytes(random, path.read_bytes())
    path.write_bytes(data)
    _engines.refit(here / "engine", name)
    return Case(f"{name}: {what}", (validated if random.random() < 0.05 else compared,))


def compared() -> object:
    """`hwnas validate` without its times, which take longest."""
    from hwnas.export import datasheet
    from hwnas.export.engines import check_machine, open_engine, stored_engine
    from hwnas.export.rebuild import engine_options
    from hwnas.export.validate import _compare
    from profilers.timing.fingerprint import Fingerprint

    folder = Path("engine")
    sheet = datasheet.read(folder)
    engine = stored_engine(sheet["engine"]["name"])
    check_machine(engine, Fingerprint.from_json(sheet["fingerprint"]))
    with open_engine(engine, folder, engine_options(sheet["engine"]), list(sheet["files"])) as session:
        return _compare(sheet, folder, session)


def validated() -> object:
    """`hwnas validate`, as quickly as it can be done."""
    from hwnas.export.runtime_costs import CostPlan
    from hwnas.export.validate import validate
    from profilers.base import TimingPlan

    plan = TimingPlan(min_rounds=3, max_rounds=3, warmup_runs=1, warmup_max_runs=1, least_seconds=0, seconds=0.01)
    return validate(Path("engine"), plan=plan, costs=CostPlan.QUICK)


# --- reference.npz ----------------------------------------------------------------------------------------------------


def _archive(random: Random, path: Path) -> tuple[str, bytes]:
    """(what was done, another archive of arrays)."""
    change = random.choice((_values, _values, _values, _headers, _headers, _members))
    with np.load(path) as stored:
        what, members = change(random, {f"{name}.npy": _npy(value) for name, value in stored.items()})
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return what, stream.getvalue()


def _values(random: Random, members: dict[str, bytes]) -> tuple[str, dict[str, bytes]]:
    """Another array in the place of one."""
    name, number = random.choice(list(members)), random.randrange(len(_OTHERS))
    value = np.load(io.BytesIO(members[name]))
    return f"{name} = other {number}", members | {name: _npy(_OTHERS[number](value))}


_OTHERS: tuple[Callable[[Any], Any], ...] = (
    lambda x: x[:0],
    lambda x: x[:1],
    lambda x: x.T,
    lambda x: x.ravel(),
    lambda x: x[None],
    np.float64,
    np.complex128,
    lambda x: x.astype(object),
    lambda x: x.astype("U8"),
    lambda x: x.astype("S8"),
    lambda x: x > 0,
    lambda x: x.astype(np.int64),
    lambda x: x.astype(np.float16),
    lambda x: np.full_like(x, np.nan),
    lambda x: np.full_like(x, np.inf),
    lambda x: np.float32(1),
    lambda x: np.concatenate([x, x]),
    lambda x: np.zeros((0,)),
    lambda x: np.zeros((2**21,), np.float32),
    lambda x: x.astype(">f4"),
    lambda x: np.zeros(3, [("a", "f4"), ("b", "i4")]),
    lambda x: np.array(["2026-01-01"], "M8[D]"),
    lambda x: np.array(None),
    lambda x: np.zeros((1,) * 32),
    lambda x: x + 1,
    lambda x: x[..., :-1],
)
_DESCRIPTIONS = (
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (16, 10), 'x': 1}",
    "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
    "{'descr': '<f4', 'fortran_order': 7, 'shape': (16, 10)}",
    "{'descr': 'nothing', 'fortran_order': False, 'shape': ()}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': 'a'}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2147483648, 2147483648)}",
    "__import__('os').getcwd()",
    "{" * 200,
    "[" * 9000,
    "'" + "a" * 9000,
    "\0",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1.5,)}",
    "{'descr': [('a', '<f4')] , 'fortran_order': False, 'shape': (4,)}",
    "{'descr': '<U1000000000', 'fortran_order': False, 'shape': (1,)}",
    "{'descr': '<V0', 'fortran_order': False, 'shape': (99999999999,)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (True,)}",
)


def _headers(random: Random, members: dict[str, bytes]) -> tuple[str, dict[str, bytes]]:
    """Another description of the same bytes."""
    name, text = random.choice(list(members)), random.choice(_DESCRIPTIONS)
    version = random.choice((1, 1, 2, 3, 9))
    header, size = text.encode() + b"\n", 2 if version == 1 else 4
    data = b"\x93NUMPY" + bytes([version, 0]) + len(header).to_bytes(size, "little") + header + members[name][128:]
    return f"{name}: header {text[:60]}", members | {name: data}


def _members(random: Random, members: dict[str, bytes]) -> tuple[str, dict[str, bytes]]:
    """Without one, or with another, or one of another name."""
    name = random.choice(list(members))
    rest = {n: data for n, data in members.items() if n != name}
    return random.choice(
        (
            (f"no {name}", rest),
            (f"{name} renamed", {**rest, "../../x.npy": members[name]}),
            (f"{name} is text", {**rest, name: b"text"}),
            (f"{name} without its ending", {**rest, name.removesuffix(".npy"): members[name]}),
            (f"{name} is empty", {**rest, name: b""}),
            ("many more", members | {f"answer_{i}_0.npy": members[name] for i in range(5000)}),
            (f"{name} is a bomb", {**rest, name: _npy(np.zeros(1, np.float32))[:-4] + bytes(2**28)}),
            (f"{name} holds zeros without end", {**rest, name: _npy(np.zeros(2**26, np.float32))}),
            ("nothing", {}),
        )
    )


def _npy(value: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, value)
    return stream.getvalue()


KIND = Kind("engine", "files of an engine's folder, hash made to fit", _prepare, _mutate, short=6)
