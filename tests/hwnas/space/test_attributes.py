"""A third thing that a slot chooses, the kind of its layer, goes through everything; and a fourth needs no edit."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import lut
from hwnas.nets import Network, Supernet, fold
from hwnas.nets.checkpoint import Provenance, load_supernet, save_supernet
from hwnas.onnx.writer import write_onnx
from hwnas.search.operators import mutate, sample_spread, vary
from hwnas.search.run import open_run
from hwnas.search.transfer import sample_like
from hwnas.select.insights import insights
from hwnas.space import Architecture, LayerSpec, SearchSpace, Stage, space_of_table
from hwnas.space.attributes import Attribute
from hwnas.space.configured import spelled
from hwnas.space.fixed import architecture_of
from hwnas.surrogates.features import encode, layout
from hwnas.train.config import Phase
from hwnas.train.elastic import Elastic, sort_channels
from lut.build.bench import Workbench
from lut.build.pipeline import build
from lut.build.schedule import BuildPlan
from lut.table.show import heat, suspicious
from lut.verify import verify
from profilers.errors import BadInput
from profilers.runtimes.fake import Fake
from tests.hwnas.cli.test_basics import call
from tests.hwnas.searching import run_search
from tests.hwnas.space.test_layer_kinds import with_statistics

torch.set_num_threads(1)
OPS = SearchSpace(
    name="with-ops",
    in_channels=1,
    classes=10,
    kernels=(3, 5),
    expands=(1, 3),
    depths=(1, 2),
    ops=("mbconv", "fused"),
    resolutions=(12, 16),
    stem=8,
    final=32,
    mix=0,
    stages=(Stage(8, 2, "relu", True), Stage(16, 2, "hswish", False)),
)


@dataclass(frozen=True)
class WithActs(SearchSpace):
    """A fourth attribute, made here: the activation."""

    acts: tuple[str, ...] = ("relu", "hswish")

    @cached_property
    def attributes(self) -> tuple[Attribute, ...]:
        return (*super().attributes, Attribute("activation", "act", "act", self.acts))


ACTS = WithActs(**{k: getattr(OPS, k) for k in OPS.__dataclass_fields__})
SPACES = [OPS, ACTS]
space_is = pytest.mark.parametrize("space", SPACES, ids=["ops", "ops and acts"])


def genes(space, n=40, seed=0):
    return space.sample(n, np.random.default_rng(seed))


def test_genes_are_resolution_then_each_attribute():
    assert (OPS.n_genes, ACTS.n_genes, OPS.slots) == (1 + 3 * 4, 1 + 4 * 4, 4)
    assert OPS.upper.tolist() == [2] + [2] * 12 and OPS.lower.tolist() == [1] + [1, 0, 1, 0] * 3
    arch = Architecture.of((1, 2), {"ks": [3, 5, 3], "e": [1, 3, 3], "op": ["fused", "mbconv", "fused"]}, 16)
    assert OPS.encode([arch]).tolist() == [[2, 1, 0, 2, 1, 1, 0, 2, 2, 2, 0, 1, 2]]
    assert arch.to_json() == {
        "ks": [3, 5, 3], "e": [1, 3, 3], "op": ["fused", "mbconv", "fused"], "d": [1, 2], "r": 16
    }  # fmt: skip
    assert OPS.parse(json.loads(json.dumps(arch.to_json()))) == arch == Architecture.from_json(arch.to_json())


def test_the_size_is_that_of_a_list_of_all():
    small = replace(OPS, kernels=(3,), resolutions=(12,))
    every = small.all_genes()
    assert small.size == len(every) == len({row.tobytes() for row in every}) == (4 + 16) ** 2
    assert np.array_equal(small.canonical(every), every)
    assert len({arch.id for arch in small.decode(every)}) == len(every)
    assert len(np.unique(encode(small, every), axis=0)) == len(every)


@space_is
def test_decode_then_encode_is_canonical(space):
    vectors = st.tuples(*(st.integers(int(a), int(b)) for a, b in zip(space.lower, space.upper, strict=True)))

    @settings(max_examples=80, deadline=None)
    @given(vectors.map(np.array))
    def check(vector):
        canonical = space.canonical(vector)
        arch = space.decode(vector)[0]
        assert np.array_equal(space.encode([arch]), canonical)
        assert np.array_equal(space.canonical(canonical), canonical)
        assert space.parse(arch.to_json()) == arch
        assert architecture_of(space.layers(arch), space) == arch

    check()


@space_is
@pytest.mark.parametrize("count", ["params", "madds"])
def test_look_ups_are_the_sums_over_layers(space, count):
    some = genes(space)
    compiled = space.compile(lambda layer: getattr(layer, count))
    assert compiled.cost.shape == (4, 2, *(len(a.options) for a in space.attributes))
    found = compiled.evaluate(some[:, 0], space.choices(some))
    assert found.tolist() == [sum(getattr(x, count) for x in space.layers(a)) for a in space.decode(some)]


def test_the_extremes_are_those_of_all():
    small = replace(OPS, kernels=(3,), resolutions=(12,))
    compiled, every = small.compile(lambda layer: layer.madds), small.all_genes()
    madds = compiled.evaluate(every[:, 0], small.choices(every))
    low, high = (sum(x.madds for x in small.layers(arch)) for arch in small.extremes())
    assert (low, high) == (madds.min(), madds.max())


@space_is
def test_a_cover_holds_every_layer(space):
    for r in space.resolutions:
        covered = {x.key for a in space.cover(r, np.random.default_rng(0)) for x in space.layers(a)}
        assert covered == {x.key for x in replace(space, resolutions=(r,)).all_layers()}


@space_is
def test_operators_give_canonical_networks_of_every_kind(space):
    rng = np.random.default_rng(1)
    parents = genes(space, 64)
    for found in (vary(space, parents, 64, rng), mutate(space, parents, rng), sample_spread(space, 64, rng),
                  sample_like(space, parents, 64, rng)):  # fmt: skip
        assert np.array_equal(space.canonical(found), found)
        assert all(set(np.unique(gene)) == {0, 1, 2} for gene in space.genes_of(found))


@space_is
def test_features_tell_networks_apart(space):
    some = np.unique(genes(space, 300), axis=0)
    features, columns = encode(space, some), layout(space)
    assert len(np.unique(features, axis=0)) == len(some)
    assert len(columns.groups) == len(space.attributes) + 2 and columns.groups[-1].stop == features.shape[1]
    ordinal = features @ columns.ordinal
    assert ordinal.shape == (len(some), len(space.attributes) * space.slots + 1) and ordinal.max() == 1.0
    assert ordinal[:, space.slots].tolist() == pytest.approx([{1: 1 / 3, 2: 1}[x] for x in some[:, 1 + space.slots]])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ops": ("mbconv", "lstm")}, "ops of space with-ops 'lstm'; allowed: conv, mbconv, fused"),
        ({"ops": ("fused", "fused")}, "allowed: each word once"),
        ({"ops": ["fused"]}, "ops of space with-ops ['fused']; allowed: a tuple"),
        ({"stages": (Stage(8, 2, "relu", False, kind="fused"),)}, "a stage of kind 'fused' in space with-ops, whose"),
        ({"kernels": (1, 3, 5, 7), "expands": tuple(range(1, 33))}, "256 choices a layer"),
    ],
)
def test_impossible_ops_are_one_line(change, said):
    with pytest.raises(BadInput) as caught:
        replace(OPS, **change)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"op": ["fused"]}, "'op' of an architecture has 1 entries"),
        ({"op": "fused"}, "'op' of an architecture is 'fused'; allowed: a list of texts"),
        ({"op": [1, 1, 1]}, "'op' of an architecture is [1, 1, 1]; allowed: a list of texts"),
        ({"op": ["conv"] * 3}, "op conv is not in space with-ops; allowed: mbconv, fused"),
        ({"op": None}, "a list of texts"),
    ],
)
def test_an_architecture_that_does_not_fit_is_one_line(change, said):
    arch = {"ks": [3, 5, 3], "e": [1, 3, 3], "op": ["fused", "mbconv", "fused"], "d": [1, 2], "r": 16}
    with pytest.raises(BadInput) as caught:
        OPS.parse(arch | change)
    assert said in str(caught.value)
    with pytest.raises(BadInput, match=r"an architecture with .*'op'"):
        replace(OPS, ops=()).parse(arch)
    with pytest.raises(BadInput, match=r"chooses ks, e; allowed: ks, e, op in with-ops"):
        OPS.check(Architecture((1, 2), (3, 5, 3), (1, 3, 3), 16))


def test_it_is_another_space_and_the_definition_goes_round():
    without = replace(OPS, ops=())
    assert len({OPS.signature, without.signature, replace(OPS, ops=("fused",)).signature}) == 3
    assert "ops" not in without.to_json() and "ops" not in without.definition()
    assert SearchSpace.from_json(OPS.to_json()) == OPS


def test_fused_layers_by_hand():
    spec = LayerSpec("fused", 16, 8, 8, kernel=3, expand=4, mid=32, act="hswish", skip=True)
    assert spec.params == 8 * 32 * 9 + 2 * 32 + 32 * 8 + 2 * 8
    assert spec.madds == 16 * 16 * (8 * 32 * 9 + 32 * 8)
    single = replace(spec, expand=1, mid=8)
    assert [c.part for c in single.convolutions] == ["conv"] and single.params == 8 * 8 * 9 + 2 * 8


@space_is
def test_parity_of_onnx_with_torch(space):
    for arch in space.decode(genes(space, 6)):
        network = Network(space.layers(arch), arch).eval()
        with_statistics(network)
        images = torch.randn(2, 1, arch.r, arch.r)
        model = write_onnx(network.specs, fold(network), batch=2)
        got = onnxruntime.InferenceSession(model).run(None, {"input": images.numpy()})[0]
        with torch.no_grad():
            expected = network(images).numpy()
        assert np.abs(got - expected).max() < 1e-4 * np.abs(expected).max()
        assert sum(p.numel() for p in network.parameters()) == sum(spec.params for spec in network.specs)


@space_is
def test_the_supernet_gives_what_it_extracts(space):
    supernet = Supernet(space).eval()
    with_statistics(supernet)
    for arch in space.decode(genes(space, 12, seed=1)):
        images = torch.randn(2, 1, arch.r, arch.r)
        with torch.no_grad():
            assert torch.allclose(supernet(images, arch), supernet.extract(arch)(images), rtol=1e-4, atol=1e-5)


def test_a_slot_has_modules_of_each_kind_and_a_file_keeps_them(tmp_path):
    supernet = Supernet(OPS, seed=3).eval()
    names = {name.split(".conv")[0] for name, _ in supernet.slots[1].named_parameters() if ".conv.weight" in name}
    assert names == {"mbconv.expand", "mbconv.depth", "mbconv.se_reduce", "mbconv.se_expand", "mbconv.project",
                     "fused.expand", "fused.se_reduce", "fused.se_expand", "fused.project", "fused"}  # fmt: skip
    save_supernet(tmp_path / "s.safetensors", supernet, Provenance("digits", (0.5,), (0.5,)))
    again, _ = load_supernet(tmp_path / "s.safetensors", OPS)
    arch = OPS.extremes()[1]
    images = torch.randn(2, 1, arch.r, arch.r)
    with torch.no_grad():
        assert torch.equal(again(images, arch), supernet(images, arch))


def test_sorted_channels_leave_the_largest_networks_as_they_were():
    supernet = Supernet(OPS, seed=3).eval()
    with_statistics(supernet)
    archs = [Architecture.of((2, 2), {"ks": [5] * 4, "e": [3] * 4, "op": [op] * 4}, 16) for op in OPS.ops]
    images = torch.randn(2, 1, 16, 16)
    with torch.no_grad():
        before = [supernet(images, arch) for arch in archs]
        weights = supernet.slots[1].of(OPS.slot_layer(1, 16, 5, 3, "fused")).part("expand").conv.weight.clone()
        sort_channels(supernet, 1)
        assert not torch.equal(weights, supernet.slots[1].fused.expand.conv.weight)
        for arch, logits in zip(archs, before, strict=True):
            assert torch.allclose(supernet(images, arch), logits, rtol=1e-4, atol=1e-5)


def test_phases_draw_from_every_attribute():
    phase = Phase("all", 1, 0.1, networks=40, kernels=0, depths=0, expands=0, resolutions=0, sandwich=True)
    networks = Elastic.of(OPS, phase).networks(phase, np.random.default_rng(0), 16)
    assert [OPS.check(arch) for arch in networks] == networks
    assert {x for arch in networks for x in arch.values("op")} == {"mbconv", "fused"}
    assert networks[0].values("op") == ("fused",) * 4 and networks[1].values("op") == ("mbconv",) * 2
    last = Elastic.of(OPS, replace(phase, ops=1)).networks(phase, np.random.default_rng(0), 16)
    assert {x for arch in last for x in arch.values("op")} == {"fused"}
    with pytest.raises(BadInput, match="phase 'all': ops = 3; allowed: 0 to 2 in space with-ops"):
        Elastic.of(OPS, replace(phase, ops=3))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    path = tmp_path_factory.mktemp("ops") / "t.json"
    plan = BuildPlan(passes=1, networks=24)
    build(Workbench(OPS, write_onnx, Fake()), out=path, method="in-context", plan=plan)
    return path


@pytest.mark.slow
def test_a_table_predicts_exact_sums(built):
    table = lut.load(built)
    space = space_of_table(table)
    assert space == OPS
    some, bound = genes(space), table.bind(space)
    exact = [sum(bound.entries[x.key].ms for x in space.layers(a)) for a in space.decode(some)]
    assert bound.sums(some) == pytest.approx(exact, rel=1e-12)
    assert {x.key.partition("-")[0] for x in space.all_layers()} >= {"mbconv", "fused"}
    picture = heat(table, space, 16)
    assert picture.ms.shape == (4, 8) and picture.columns[:3] == ("k3 e1 mbconv", "k3 e1 fused", "k3 e3 mbconv")
    assert suspicious(table, space) == []
    figures = verify(table, Workbench(space, write_onnx, Fake()), archs=16)
    assert figures["mape"] < 0.05


@pytest.mark.slow
def test_a_search_select_insights_and_report(built, tmp_path, capsys):
    class Source:
        def evaluate(self, arch):
            return 50 + sum(arch.e) + 2 * arch.values("op").count("fused") + arch.r / 100

    run = run_search(tmp_path / "run", Source(), **spelled(OPS), tables={"cpu_ms": built},
                     objectives=("top1", "params", "cpu_ms"), surrogate="gp")  # fmt: skip
    rows = run.archive.evaluations()
    run.archive.close()
    assert len(rows) == 16 + 3 * 4 and all(row.status == "ok" for row in rows)
    with open_run(tmp_path / "run") as opened:
        assert opened.space == OPS
        assert opened.space.decode(np.array([row.genes for row in rows])) == [row.arch for row in rows]
        found = insights(opened.problem, rows)[0].to_json()
    assert found["op"]["choices"] == ["mbconv", "fused"] and sum(found["op"]["overall"]) == pytest.approx(1)
    assert len(found["op"]["by_layer"]) == OPS.slots and list(found)[2:6] == ["kernel", "expand", "op", "depth"]
    code, out, err = call(capsys, "select", str(tmp_path / "run"), "-n", "3")
    assert code == 0 and all(row["arch"]["op"] for row in map(json.loads, out.splitlines())), err
    code, _, err = call(capsys, "insights", str(tmp_path / "run"))
    assert code == 0 and "fused" in err
    code, _, err = call(capsys, "report", str(tmp_path / "run"), "--out", str(tmp_path / "r.html"))
    assert code == 0, err
    page = (tmp_path / "r.html").read_text()
    assert "Op by layer" in page and "op fused" in page and 'class="k1 f0"' in page
