"""Profiles as one HTML file without anything from outside: bars by engine, by operator and by layer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hwnas.profile.facts import F, Facts, Layer, Several
from hwnas.profile.text import inputs_line, remarks, speed_line
from hwnas.version import __version__
from profilers.errors import FileProblem
from profilers.files import write_text
from profilers.markup import templates

SERIES = 6  # colours
OPEN_SHARE = 0.05  # of the whole, in any engine, from which an operator's layers are unfolded
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


@dataclass(frozen=True)
class Bar:
    """One engine's time in a row: its length and its interval's ends in % of the widest; `text` stands beside it."""

    series: int
    engine: str
    text: str
    width: float = 0.0
    low: float = 0.0
    high: float = 0.0
    about: str = ""


@dataclass(frozen=True)
class Row:
    """A layer, or an operator as a whole."""

    name: str
    note: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Group:
    """The layers of one operator."""

    whole: Row
    layers: tuple[Row, ...]
    unfolded: bool


def check_place(path: Path) -> None:
    """FileProblem where no page can be written, so that it is said before anything is measured."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileProblem(f"cannot write {path}: {error.strerror}", remedy="choose another folder") from error
    if path.is_dir():
        raise FileProblem(f"cannot write {path}: it is a folder", remedy=str(path / "profile.html"))


def write_page(profiles: Several[F], path: Path) -> None:
    """Raises FileProblem where it cannot be written."""
    write_text(path, page(profiles))


def page(profiles: Several[F]) -> str:
    """The whole file as text."""
    return _render("profile.html", profiles)


def fragment(profiles: Several[F]) -> str:
    """Tables for a notebook's cell."""
    return _render("fragment.html", profiles)


def _render(template: str, profiles: Several[F]) -> str:
    first = profiles[0]
    found = [profile for profile in profiles if profile.layers]
    return (
        templates("hwnas.profile")
        .get_template(template)
        .render(
            policy=POLICY,
            version=__version__,
            title=first.model,
            about=first.about,
            inputs=inputs_line(first),
            engines=end_to_end(profiles),
            refused=list(map(str, profiles.refused)),
            legend=[(_series(i), p.title) for i, p in enumerate(profiles)],
            groups=list(groups(profiles)),
            remarks=[(p.title, [*(remarks(p.layers) if p.layers else []), *p.notes]) for p in profiles],
            estimator=first.measured.estimator,
            several=len(found) > 1,
        )
    )


def end_to_end(profiles: Several[F]) -> list[Bar]:
    """A bar for each engine, with its interval."""
    widest = max(p.measured.high for p in profiles)
    return [_whole_bar(i, p, 100 / widest) for i, p in enumerate(profiles)]


def _whole_bar(i: int, profile: Facts, scale: float) -> Bar:
    m, ends = profile.measured, f"95 % interval {profile.measured.low:.4g} to {profile.measured.high:.4g} ms"
    width, low, high = (scale * x for x in (m.ms, m.low, m.high))
    about = f"{ends}; {speed_line(profile)}"
    return Bar(_series(i), profile.title, f"{m.ms:.4g} ms", width, low, high, about)


def groups(profiles: Several[F]) -> Iterator[Group]:
    """The layers by operator, that of most time first; then what is not attributed."""
    shares = [{row[0]: row for row in p.layers.by_operator()} if p.layers else {} for p in profiles]
    names = dict.fromkeys(name for found in shares for name in found)
    order = sorted(names, key=lambda name: -max(found[name][3] for found in shares if name in found))
    left = [p.layers.unattributed_ms if p.layers else 0.0 for p in profiles]
    widest = max((row[2] for found in shares for row in found.values()), default=0.0)
    for name in order:
        bars = tuple(_operator_bar(i, p, shares[i].get(name), max(widest, *left)) for i, p in enumerate(profiles))
        unfolded = any(name in found and found[name][3] >= OPEN_SHARE for found in shares)
        yield Group(Row(name, "", bars), tuple(_layers(profiles, name)), unfolded)
    rest = tuple(_rest_bar(i, p, max(widest, *left)) for i, p in enumerate(profiles))
    if order:
        yield Group(Row("unattributed", "between layers, and nodes of the runtime's own", rest), (), False)


def _operator_bar(i: int, profile: Facts, row: tuple[str, int, float, float] | None, widest: float) -> Bar:
    if row is None:
        return Bar(_series(i), profile.title, "–", about="no layer of that operator")
    _, count, ms, share = row
    layers = f"{count} layer{'s' if count > 1 else ''}"
    return Bar(_series(i), profile.title, f"{ms:.3g} ms, {share:.1%}, {layers}".replace("%", " %"), 100 * ms / widest)


def _rest_bar(i: int, profile: Facts, widest: float) -> Bar:
    if profile.layers is None:
        return Bar(_series(i), profile.title, "–", about="this runtime tells nothing of layers")
    ms, share = profile.layers.unattributed_ms, profile.layers.unattributed_share
    return Bar(_series(i), profile.title, f"{ms:.3g} ms, {share:.1%}".replace("%", " %"), 100 * ms / max(widest, 1e-9))


def _layers(profiles: Several[F], operator: str) -> Iterator[Row]:
    """A row for each layer of an operator, in the order in which they run."""
    every = [p.layers.layers if p.layers else () for p in profiles]
    own = [{layer.name: layer for layer in found} for found in every]
    inside = [{node: layer.name for layer in found for node in layer.fused} for found in every]
    names = dict.fromkeys(layer.name for found in every for layer in found if layer.op == operator)
    widest = max(layer.ms for found in own for layer in found.values())
    for name in names:
        bars = (_layer_bar(i, p, own[i].get(name), inside[i].get(name), widest) for i, p in enumerate(profiles))
        yield Row(name, _fused(found[name] for found in own if name in found), tuple(bars))


def _fused(layers: Iterable[Layer]) -> str:
    """What the engines fuse into a layer, as in `+ Relu` or `+ Add or + Add + Relu`."""
    found = dict.fromkeys(layer.operators.removeprefix(layer.op).strip() for layer in layers)
    return " or ".join(text for text in found if text)


def _layer_bar(i: int, profile: Facts, layer: Layer | None, host: str | None, widest: float) -> Bar:
    if layer is None:
        text = f"in {host}" if host else "–"
        return Bar(_series(i), profile.title, text, about="" if host else "computed at load, or left out")
    parts = ", ".join((*layer.fused, *(f"its own {name}" for name in layer.own)))
    about = f"{layer.kernel}{f'; with {parts}' if parts else ''}"
    text = f"{layer.ms:.3g} ms, {layer.share:.1%}".replace("%", " %")
    return Bar(_series(i), profile.title, text, 100 * layer.ms / widest, about=about)


def _series(i: int) -> int:
    return i % SERIES
