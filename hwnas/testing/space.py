"""The contract of a search space: what the search, tables, training and export take for granted of it."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np

from hwnas.space import Architecture, Genes, SearchSpace, get_space
from profilers.errors import BadInput

LISTED = 5000  # networks of a space that is listed as a whole


def check_space(space: str | SearchSpace, *, networks: int = 6, seed: int = 0, torch: bool = False) -> None:
    """Check a space; an AssertionError says what does not hold.

    Args:
        space: a name, FILE.toml, `python:module:NAME`, or a space.
        networks: how many random ones are written as ONNX models and counted there.
        seed: of them.
        torch: whether the parameters are counted in torch networks, too.

    >>> check_space("tiny", networks=1)
    """
    space = get_space(space)
    rng = np.random.default_rng(seed)
    _check_genes(space, rng)
    _check_size(space)
    _check_extremes(space, rng)
    _check_cover(space, rng)
    _check_look_ups(space, rng)
    _check_definition(space)
    some = [*space.extremes(), *space.decode(space.sample(networks, rng))]
    for arch in some:
        _check_layers(space, arch)
        _check_onnx(space, arch)
        if torch:
            _check_torch(space, arch)


def _check_genes(space: SearchSpace, rng: np.random.Generator) -> None:
    """Every vector within the bounds is a network, and a network has one canonical row."""
    raw = rng.integers(space.lower, space.upper + 1, (200, space.n_genes))
    canonical = space.canonical(raw)
    assert np.array_equal(space.canonical(canonical), canonical), "canonical genes change when made canonical again"
    archs = space.decode(raw)
    assert np.array_equal(space.encode(archs), canonical), "decode and encode do not give the canonical genes"
    assert [space.parse(json.loads(json.dumps(a.to_json()))) for a in archs] == archs, "an architecture's JSON differs"
    drawn = space.sample(200, rng)
    assert np.array_equal(space.canonical(drawn), drawn), "sample gives genes that are not canonical"
    _check_features(space, np.unique(np.concatenate([canonical, drawn]), axis=0))


def _check_features(space: SearchSpace, genes: Genes) -> None:
    from hwnas.surrogates.features import encode

    assert len(np.unique(encode(space, genes), axis=0)) == len(genes), "two networks have the same features"


def _check_size(space: SearchSpace) -> None:
    if space.size <= LISTED:
        every = space.all_genes()
        assert len({row.tobytes() for row in every}) == len(every) == space.size, "size is not that of a list of all"
        assert len({arch.id for arch in space.decode(every)}) == space.size, "two networks have the same id"


def _check_extremes(space: SearchSpace, rng: np.random.Generator) -> None:
    madds = space.compile(lambda layer: layer.madds)

    def of(genes: Genes) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return madds.evaluate(genes[:, 0], space.choices(genes))

    (low, high), others = of(space.encode(space.extremes())), of(space.sample(300, rng))
    assert low <= others.min() and others.max() <= high, "a network is smaller or larger than the extremes"
    for r in space.resolutions:
        assert all(arch.r == r for arch in space.extremes(r)), "extremes of one resolution have another"


def _check_cover(space: SearchSpace, rng: np.random.Generator) -> None:
    for r in {space.resolutions[0], space.resolutions[-1]}:
        covered = {x.key for arch in space.cover(r, rng) for x in space.layers(arch)}
        every = {x.key for x in replace(space, resolutions=(r,)).all_layers()}
        assert covered == every, f"the cover at {r} px lacks {sorted(every - covered)[:1]}"


def _check_look_ups(space: SearchSpace, rng: np.random.Generator) -> None:
    """Compiled sums are the sums over layers, for each count."""
    genes = space.sample(20, rng)
    for name in ("params", "madds"):
        found = space.compile(lambda layer, name=name: getattr(layer, name)).evaluate(genes[:, 0], space.choices(genes))  # type: ignore[misc]
        sums = [sum(getattr(x, name) for x in space.layers(arch)) for arch in space.decode(genes)]
        assert found.tolist() == sums, f"look-ups of {name} are not the sums over layers"


def _check_definition(space: SearchSpace) -> None:
    again = type(space).from_json(json.loads(json.dumps(space.to_json())))
    assert again == space, "the definition in JSON is of another space"
    others = (again, replace(space, name="another"), space.with_classes(space.classes + 1), _fewer(space))
    assert {other.signature for other in others} == {space.signature}, "the signature says name, classes or resolutions"
    try:
        type(space).from_json({**space.to_json(), "unknown": 1})
    except BadInput:
        return
    raise AssertionError("a definition with an unknown key is taken")


def _fewer(space: SearchSpace) -> SearchSpace:
    return replace(space, resolutions=space.resolutions[:1])


def _check_layers(space: SearchSpace, arch: Architecture) -> None:
    layers = space.layers(arch)
    first, last = layers[0], layers[-1]
    assert (first.size, first.in_channels) == (arch.r, space.in_channels), "the first layer does not read the images"
    assert last.is_classifier and last.out_channels == space.classes, "the last layer is not the classifier"
    for a, b in pairwise(layers):
        assert (a.out, a.out_channels) == (b.size, b.in_channels), f"{b.key} does not read what {a.key} gives"


def _check_onnx(space: SearchSpace, arch: Architecture) -> None:
    """Counts against the ONNX model, which is run for its shapes."""
    from hwnas.compare.count import madds
    from hwnas.onnx.writer import write_onnx
    from profilers.onnx.parse import parse

    layers = space.layers(arch)
    model = write_onnx(layers)
    assert madds(model) == sum(x.madds for x in layers), f"{arch.id}: multiply-adds differ from those of its ONNX model"
    weights = sum(int(np.prod(t.dims)) for t in parse(model).graph.initializer if len(t.dims) > 1)
    expected = sum(int(np.prod(c.weight_shape)) for x in layers for c in x.convolutions)
    assert weights == expected, f"{arch.id}: weights differ from those of its ONNX model"


def _check_torch(space: SearchSpace, arch: Architecture) -> None:
    from hwnas.nets import Network

    layers = space.layers(arch)
    found = sum(p.numel() for p in Network(layers, arch).parameters())
    assert found == sum(x.params for x in layers), f"{arch.id}: parameters differ from those of its torch network"
