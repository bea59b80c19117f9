"""Published latency tables, in their three formats: what is taken and differs must be named."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from random import Random

import numpy as np

from hwnas.space import SearchSpace, get_space
from tools.campaign.case import Case, Kind
from tools.campaign.mutations import of_bytes

PUBLISHED = Path(__file__).resolve().parents[4] / "shared" / "published"
FORMATS = {
    "nsganetv2": ("mbv3", 224, "nsganetv2/i7-8700K_lut.yaml"),
    "ofa": ("mbv3-w1.2", 224, "ofa/note10/224_lookup_table.yaml"),
    "proxylessnas": ("proxylessnas", 224, "proxylessnas/mobile_trim.yaml"),
}
WORDS = (b"mean", b"count", b"var", b"std", b"input:", b"expand", b"0.", b"1", b"-", b":", b"  ")
PUT = (b"1e999", b"-1", b"nan", b"0", b"9" * 400, b"1_0", b"\x1b[31m", b"!!python/object:x", b"&a", b"*a", b"\xff", b"")


def _prepare(folder: Path) -> None:
    """The authors' files where they are, else ours in their formats; without them no file is a published one."""
    import hwnas

    for name, (space, size, file) in FORMATS.items():
        path = folder / f"{name}.yaml"
        if (PUBLISHED / file).is_file():
            path.write_bytes((PUBLISHED / file).read_bytes())
        else:
            table = hwnas.LatencyTable.estimate(space, "GTX 1080 Ti", 1, resolutions=[size])
            (written,) = table.write(name, folder / "made" if name == "ofa" else path)
            path.write_bytes(Path(written).read_bytes())
        (folder / f"{name}.right").write_text(imported(name, path))


def _mutate(random: Random, prepared: Path, here: Path) -> Case:
    name = random.choice(list(FORMATS))
    what, data = _changed(random, (prepared / f"{name}.yaml").read_bytes())
    (here / "t.yaml").write_bytes(data)
    right = (prepared / f"{name}.right").read_text()
    return Case(f"{name}: {what}", (partial(imported, name, Path("t.yaml")),), lambda i, out: _wrong(out, right))


def _changed(random: Random, data: bytes) -> tuple[str, bytes]:
    if random.random() < 0.4:
        return of_bytes(random, data)
    lines = data.split(b"\n")
    at, word, put = random.randrange(len(lines)), random.choice(WORDS), random.choice(PUT)
    if random.random() < 0.3:
        lines.insert(random.randrange(len(lines)), lines[at])
    lines[at] = lines[at].replace(word, put) if random.random() < 0.8 else put
    return f"line {at}: {word!r} is {put!r:.20}", b"\n".join(lines)


@cache
def _space(name: str) -> SearchSpace:
    return get_space(FORMATS[name][0], [FORMATS[name][1]])


def imported(name: str, path: Path) -> str:
    """What is said of the file on the first line, and what its table predicts."""
    import hwnas

    space = _space(name)
    table = hwnas.LatencyTable.import_published(name, [path], space)
    found = table.data.bind(space).predict(space.sample(50, np.random.default_rng(3)))
    return " ".join(table.remarks) + f"\n{[values.tolist() for values in found]}"


def _wrong(output: str, right: str) -> str:
    said, numbers = output.split("\n")
    if "nan" in numbers or "inf" in numbers:
        return "a number that is not finite"
    return "" if numbers == right.split("\n")[1] or "not the published file" in said else "other numbers, unnamed"


KIND = Kind("published-table", "published YAML tables, three formats", _prepare, _mutate, short=6)
