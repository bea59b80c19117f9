"""Networks from files: architectures of a space, one a line, and once-for-all's `net.config`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwnas.ofa.net_config import is_net_config, read_layers
from hwnas.space import Architecture, LayerSpec, SearchSpace, get_space
from hwnas.space.arch_lines import parse_lines, space_of_lines
from hwnas.space.fixed import ArchitectureLike, FixedNetwork, SpaceLike, architecture_of
from hwnas.space.registry import BUILT_IN, SpaceSource
from profilers.errors import BadInput, shown
from profilers.files import parse_json, read_json, read_text

RUN_CONFIG = "run.config"


@dataclass(frozen=True)
class ResolvedNetwork:
    """A network, and the space it belongs to; a fixed network is both itself. `note` says how its size was chosen."""

    space: SpaceLike
    arch: ArchitectureLike
    layers: tuple[LayerSpec, ...]
    note: str = ""

    def __str__(self) -> str:
        fixed = isinstance(self.space, FixedNetwork)
        where = "a fixed network, of no space here" if fixed else f"of space {self.space.name}"
        return f"{where}, {self.arch.r} px{self.note}, {len(self.layers)} layers"


@dataclass(frozen=True)
class NetworkFile:
    """A file of networks, read once: a net.config (its JSON in `config`), or lines of architectures."""

    path: Path
    text: str
    config: Any

    @classmethod
    def read(cls, path: Path) -> NetworkFile:
        """FileProblem where it cannot be read."""
        text = read_text(path)
        return cls(path, text, _net_config(text))

    @property
    def is_net_config(self) -> bool:
        """Whether it is one, right or wrong in its details."""
        return self.config is not None

    def network(
        self, sizes: Sequence[int] | None, space: SpaceSource | None, classes: int | None = None
    ) -> ResolvedNetwork:
        """The network of a net.config; see `read_network` and `check_classes`."""
        found = _network(self.config, self.path, sizes, space)
        check_classes(found, self.path, classes)
        return found

    def networks(
        self,
        *,
        space: SpaceSource | None = None,
        sizes: Sequence[int] | None = None,
        classes: int | None = None,
        expected: SearchSpace | None = None,
        any_size: bool = False,
    ) -> tuple[SearchSpace, list[Architecture]]:
        """See `read_networks`."""
        if self.is_net_config:
            return _of_net_config(self, space, sizes, classes, expected)
        lines = parse_lines(self.text, self.path)
        chosen = space_of_lines(
            lines, self.path, space=space, sizes=sizes, classes=classes, expected=expected, any_size=any_size
        )
        return chosen, [line.of(chosen) for line in lines]


def read_archs(space: SearchSpace, path: Path) -> list[Architecture]:
    """Architectures of a file, whatever their number of classes: one JSON object a line, or one net.config.

    Raises:
        BadInput: which line is wrong and why; a network that is not of this space.
    """
    file = NetworkFile.read(path)
    if file.is_net_config:
        size, _ = _image_size(file.config, path, space.resolutions if len(space.resolutions) == 1 else None)
        layers = _layers(file.config, path, size)
        return [_architecture(layers, space.with_classes(layers[-1].out_channels), path)]
    return [line.of(space) for line in parse_lines(file.text, path)]


def read_networks(
    path: Path,
    *,
    space: SpaceSource | None = None,
    sizes: Sequence[int] | None = None,
    classes: int | None = None,
    expected: SearchSpace | None = None,
    any_size: bool = False,
) -> tuple[SearchSpace, list[Architecture]]:
    """The networks of a file and their space; arguments as of `space_of_lines`.

    Raises:
        BadInput: which line is wrong and why; lines or a net.config that contradict what is given; no space.
    """
    file = NetworkFile.read(path)
    return file.networks(space=space, sizes=sizes, classes=classes, expected=expected, any_size=any_size)


def _of_net_config(
    file: NetworkFile,
    space: SpaceSource | None,
    sizes: Sequence[int] | None,
    classes: int | None,
    expected: SearchSpace | None,
) -> tuple[SearchSpace, list[Architecture]]:
    if expected is not None:
        space, sizes = expected, expected.resolutions if len(expected.resolutions) == 1 else None
    network = file.network(sizes, space)
    if not isinstance(network.space, SearchSpace) or not isinstance(network.arch, Architecture):
        got = f"{file.path} is {network}"
        raise BadInput(got, "a network of a space", f"hwnas export {file.path}, which measures it")
    check_classes(network, file.path, classes)
    chosen = network.space if expected is None else expected.with_classes(network.space.classes)
    return chosen, [chosen.check(network.arch)]


def check_classes(network: ResolvedNetwork, path: Path, classes: int | None) -> None:
    """BadInput if a net.config has another number of classes than --classes says."""
    if classes not in (None, network.space.classes):
        got = f"--classes {classes} for {path}"
        raise BadInput(got, f"classes {network.space.classes}, as its classifier has", "without --classes")


def holds_net_config(path: Path) -> bool:
    """Whether a file is a net.config (right or wrong in its details)."""
    return _net_config(read_text(path)) is not None


def read_network(path: Path, sizes: Sequence[int] | None = None, space: SpaceSource | None = None) -> ResolvedNetwork:
    """The network of a net.config: a space and its architecture, or a fixed network where no space has it.

    Args:
        path: the file; its image size is read from the run.config beside it.
        sizes: one image size in pixels, where that file is missing or another size is wanted.
        space: the space that it must be of; by default the first that has it.

    Raises:
        BadInput: the field that is missing or wrong; no image size; a network that is not of the space named.
    """
    value = _net_config(read_text(path))
    if value is None:
        raise BadInput(f"{path} is no net.config", "an object with first_conv, blocks and classifier", "--space NAME")
    return _network(value, path, sizes, space)


def _network(value: Any, path: Path, sizes: Sequence[int] | None, space: SpaceSource | None) -> ResolvedNetwork:
    size, note = _image_size(value, path, sizes)
    layers = _layers(value, path, size)
    if space is not None:
        found = get_space(space, [size], layers[-1].out_channels)
        return ResolvedNetwork(found, _architecture(layers, found, path), layers, note)
    for name in BUILT_IN:
        try:
            found = get_space(name, [size], layers[-1].out_channels)
            return ResolvedNetwork(found, architecture_of(layers, found), layers, note)
        except BadInput:
            continue
    fixed = FixedNetwork(layers)
    return ResolvedNetwork(fixed, fixed, layers, note)


def _architecture(layers: Sequence[LayerSpec], space: SearchSpace, path: Path) -> Architecture:
    try:
        return architecture_of(layers, space)
    except BadInput as error:
        got = f"{path} is no network of space {space.name}: {error.got}"
        raise BadInput(got, error.allowed, error.remedy) from error


def _layers(value: Any, path: Path, size: int) -> tuple[LayerSpec, ...]:
    try:
        return read_layers(value, size)
    except BadInput as error:
        raise BadInput(f"{path}: {error.got}", error.allowed, error.remedy) from error


def _image_size(value: Any, path: Path, sizes: Sequence[int] | None) -> tuple[int, str]:
    """The pixels, and a note where the file beside it lists several, of which the largest is taken.

    They are the caller's, or stand in the net.config (NSGANetV2's), or in the run.config beside it.
    """
    if sizes is not None:
        if len(sizes) != 1:
            raise BadInput(f"{len(sizes)} image sizes for one network", "one", f"--resolutions {sizes[0]}")
        return sizes[0], ""
    if (own := value.get("resolution")) is not None:
        return max(_pixels(own, "resolution", path)), ""
    beside = path.parent / RUN_CONFIG
    if not beside.is_file():
        got = f"a net.config does not say its image size, and {beside} is missing"
        raise BadInput(got, remedy='"resolution": 224 in the net.config itself')
    config = read_json(beside)
    found = _pixels(config.get("image_size") if isinstance(config, dict) else None, "image_size", beside)
    several = ", ".join(map(str, found))
    return max(found), f" (the largest of {several} in {RUN_CONFIG}; --resolutions N for another)" * (len(found) > 1)


def _pixels(value: Any, name: str, path: Path) -> list[int]:
    found = value if isinstance(value, list) and value else [value]
    if any(isinstance(size, bool) or not isinstance(size, int) for size in found):
        raise BadInput(f"{name} in {path} is {shown(value)}", "pixels, or a list of them", "224")
    return sorted(found)


def _net_config(text: str) -> Any:
    """The JSON value, or None if the text is anything else."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        value = parse_json(text, "")
    except BadInput:
        return None
    return value if is_net_config(value) else None
