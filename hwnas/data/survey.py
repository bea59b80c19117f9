"""A look at a data set before anything is trained on it: what is there, what is wrong, and what it is worth knowing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from hwnas.data.duplicates import Shared, across, warning, within
from hwnas.data.facts import Fact, Facts, facts_of
from hwnas.data.layout import Layout, find_layout, missing_classes
from hwnas.data.names import plural, shortened
from hwnas.data.passed import passed_line
from hwnas.data.reference import Reference, parse_reference

CHANNELS = {3: "colour", 1: "grey"}
_LAYOUTS = {
    "splits": "splits in folders",
    "list": "in a list",
    "flat": "classes straight in the folder",
    "published": "as published",
}

Size = tuple[int, int]  # width, height


@dataclass(frozen=True)
class Survey:
    """What is known of a data set's images.

    Args:
        reference: of the data set.
        layout: "splits", "list", "flat", or "published" for other data sets than `folder`.
        classes: intact images of each class by split.
        sizes: width and height of the smallest, median and largest image by pixels; empty where they are not known.
        channels: images that are "colour" and "grey" by their pixels; empty where that is not known.
        damaged: files and what is wrong with them.
        passed_over: how many files and folders, by reason.
        twice: images of each split that are there already in the same split.
        shared: images that two splits share.
        notes: what else should be known, a line each.
    """

    reference: str
    layout: str
    classes: Mapping[str, Mapping[str, int]]
    sizes: Mapping[str, Size] = field(default_factory=dict)
    channels: Mapping[str, int] = field(default_factory=dict)
    damaged: Mapping[str, str] = field(default_factory=dict)
    passed_over: Mapping[str, int] = field(default_factory=dict)
    twice: Mapping[str, int] = field(default_factory=dict)
    shared: Sequence[Shared] = ()
    notes: Sequence[str] = ()

    @property
    def splits(self) -> Mapping[str, int]:
        """Images of each split."""
        counts: Counter[str] = Counter()
        for of in self.classes.values():
            counts.update(of)
        return dict(counts)

    @property
    def images(self) -> int:
        """All of them."""
        return sum(self.splits.values())

    @property
    def balance(self) -> float:
        """Train images of the largest class for each of the smallest."""
        counts = [of.get("train", 0) for of in self.classes.values()]
        return max(counts) / max(min(counts), 1)

    def lines(self) -> list[str]:
        """For people."""
        return [*self._contents(), *self._sizes(), *self._problems(), *self.notes]

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return asdict(self) | {
            "images": self.images,
            "splits": dict(self.splits),
            "balance": self.balance,
            "shared": [shared._asdict() for shared in self.shared],
        }

    def _contents(self) -> list[str]:
        splits = ", ".join(f"{name} {count:,}" for name, count in self.splits.items())
        what = f"{plural(self.images, 'image')} of {plural(len(self.classes), 'class', 'classes')}"
        names = shortened(self.classes, 10)
        return [f"{self.reference}: {what}, {_LAYOUTS[self.layout]}: {splits}", f"classes: {names}; {self._balance()}"]

    def _balance(self) -> str:
        sizes = {name: of.get("train", 0) for name, of in self.classes.items()}
        small, large = min(sizes, key=sizes.__getitem__), max(sizes, key=sizes.__getitem__)
        if sizes[small] == sizes[large]:
            return "each has as many train images"
        which = f"{large} {sizes[large]:,}, {small} {sizes[small]:,}"
        return f"the largest has {self.balance:.3g} times the train images of the smallest ({which})"

    def _sizes(self) -> list[str]:
        if not self.sizes:
            return []
        sizes = ", ".join(f"{name} {width} x {height}" for name, (width, height) in self.sizes.items())
        return [f"pixels: {sizes}; {', '.join(f'{count:,} {name}' for name, count in self.channels.items())}"]

    def _problems(self) -> list[str]:
        lines = [f"passed over: {passed_line(self.passed_over, {})}"] if self.passed_over else []
        if self.damaged:
            named = shortened([f"{name} ({why})" for name, why in self.damaged.items()])
            lines.append(f"{plural(len(self.damaged), 'damaged image')}: {named}")
        copies = ", ".join(f"{split} {count:,}" for split, count in self.twice.items() if count)
        lines += [f"images that are there twice in one split: {copies}"] if copies else []
        return [*lines, *filter(None, [warning(self.shared)])]


def survey(reference: str) -> Survey:
    """Look at every image of a data set once; what was found is kept for the next look.

    Args:
        reference: see `hwnas.data.reference`. Of other data sets than `folder` only the counts are given.

    Raises:
        BadInput: as for opening it, but damaged images are counted.
    """
    found = parse_reference(reference)
    if found.name != "folder":
        return _published(reference)
    located = found.located()
    layout = find_layout(located)
    names = [name for listing in layout.listings.values() for name in listing.files]
    facts = facts_of(located.folder, names, located.white or None, f"looking at the images of {located.name}")
    return _survey(located, layout, facts)


def _survey(reference: Reference, layout: Layout, facts: Facts) -> Survey:
    intact = {name: fact for name, fact in facts.items() if not fact.damage}
    channels = Counter(CHANNELS[fact.channels] for fact in intact.values())
    return Survey(
        str(reference),
        layout.kind,
        _counts(layout, intact),
        _sizes_of(list(intact.values())),
        dict(channels.most_common()),
        {name: fact.damage for name, fact in facts.items() if fact.damage},
        layout.passed.counts,
        within(layout.listings, intact),
        across(layout.listings, intact),
        (*layout.notes, *missing_classes(_labels(layout, intact), layout.class_names)),
    )


def _counts(layout: Layout, intact: Facts) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {name: dict.fromkeys(layout.listings, 0) for name in layout.class_names}
    for split, listing in layout.listings.items():
        for name, label in zip(listing.files, listing.labels, strict=True):
            found[layout.class_names[label]][split] += name in intact
    return found


def _labels(layout: Layout, intact: Facts) -> dict[str, set[int]]:
    splits = layout.listings.items()
    return {s: {int(n) for f, n in zip(x.files, x.labels, strict=True) if f in intact} for s, x in splits}


def _sizes_of(facts: Sequence[Fact]) -> dict[str, Size]:
    if not facts:
        return {}
    sizes = sorted(((fact.width, fact.height) for fact in facts), key=lambda size: (size[0] * size[1], size))
    return {"smallest": sizes[0], "median": sizes[len(sizes) // 2], "largest": sizes[-1]}


def _published(reference: str) -> Survey:
    from hwnas.data import get_dataset

    data = get_dataset(reference)
    classes: dict[str, dict[str, int]] = {name: {} for name in data.class_names}
    for split in data.splits:
        counts = Counter(data.labels(split).tolist())
        for label, name in enumerate(data.class_names):
            classes[name][split] = counts[label]
    return Survey(data.name, "published", classes, damaged=data.left_out)


__all__ = ["Survey", "survey"]
