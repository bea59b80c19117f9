"""One table for every number of classes: the classifier measured at a few, interpolated, or scaled and marked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwnas.onnx.writer import write_onnx
from hwnas.space import get_space
from lut import Entry, Interval
from lut.build.bench import Workbench
from lut.build.pipeline import build
from lut.build.schedule import BuildPlan
from lut.estimate.few_shot import fit
from lut.estimate.roofline import estimate
from lut.formats import export_table, import_table
from lut.table.classifier import WIDTHS, classifiers, spread_classes, widths
from lut.verify import verify
from profilers.base import Options
from profilers.errors import BadInput, TableError
from profilers.runtimes.fake import Behaviour, Fake
from tests.lut.conftest import known_ms, make_table

ASKED = (2, 3, 37, 100, 500, 1000, 4000)


def with_widths(space, ms=known_ms, **changes):
    entries = make_table(space).entries | {x.key: Entry(ms(x), 0.01 * ms(x), 3) for x in classifiers(space)}
    return make_table(space, entries=entries, **changes)


@pytest.mark.parametrize("classes", ASKED)
def test_between_measured_widths_time_is_linear(space, classes, rng):
    other = space.with_classes(classes)
    bound, genes = with_widths(space).bind(other), space.sample(20, rng)
    expected = [sum(known_ms(layer) for layer in other.layers(arch)) for arch in space.decode(genes)]
    np.testing.assert_allclose(bound.predict(genes).ms, expected, rtol=1e-9)
    assert ("interpolated" in bound.classifier.how) == (classes in (3, 37, 500))
    assert bound.classifier.rough == (classes == 4000) == ("extrapolated" in bound.classifier.how)
    assert f"{classes} classes" in bound.classifier.how or classes in WIDTHS


def test_what_is_not_linear_widens_the_interval(space, rng):
    def bent(layer):
        return known_ms(layer) * (1 + 2e-4 * layer.out_channels)

    interval = Interval(0.99, 1.01, 0.95, 40)
    table, genes = with_widths(space, bent, interval=interval), space.sample(20, rng)
    for classes in (37, 400, 3000):
        other = space.with_classes(classes)
        estimate = table.bind(other).predict(genes)
        layers = [other.layers(arch) for arch in space.decode(genes)]
        truth = [sum(known_ms(x) for x in some[:-1]) + bent(some[-1]) for some in layers]
        assert ((estimate.low < truth) & (truth < estimate.high)).all(), classes
    assert table.bind(space.with_classes(100)).classifier.more == 0  # measured: the interval is its own


@pytest.mark.parametrize("classes", [3, 1000])
def test_a_table_of_one_width_is_scaled_and_says_so(space, table, rng, classes):
    genes, other = space.sample(20, rng), space.with_classes(classes)
    bound = replace(table, interval=Interval(0.99, 1.01, 0.95, 40)).bind(other)
    way = "the bytes that its kernel moves"
    assert bound.classifier.rough
    assert bound.classifier.how == f"classifier scaled from 10 to {classes} classes by {way}"
    found = bound.predict(genes)
    truth = [sum(known_ms(layer) for layer in other.layers(arch)) for arch in space.decode(genes)]
    assert ((found.low < truth) & (truth < found.high)).all()
    assert ((found.ms > table.bind(space).predict(genes).ms) == (classes > 10)).all()


def test_a_fitted_table_scales_by_its_features():
    space = get_space("mbv3", [192, 224])
    other = space.with_classes(3)
    archs = space.decode(space.sample(30, np.random.default_rng(0)))
    times, fewer = (
        [sum(1e-9 * x.madds + 0.5 * (x.kind == "linear") for x in s.layers(a)) for a in archs] for s in (space, other)
    )  # half a millisecond that every network pays once stands in the classifier's entry, and is not scaled
    bound = fit(space, archs[:20], times[:20], 64, "a device").bind(other)
    np.testing.assert_allclose(bound.predict(space.encode(archs[20:])).ms, fewer[20:], rtol=1e-3)
    assert bound.classifier.how == "classifier scaled from 1000 to 3 classes by the fitted features"


def test_an_imported_table_serves_other_classes_and_is_exported_with_them(published, tmp_path):
    space = get_space("mbv3", [192])
    table = import_table("nsganetv2", space, [published / "nsganetv2/i7-8700K_lut.yaml"])
    own, other = table.entries[space.classifier.key].ms, space.with_classes(3)
    bound = table.bind(other)
    assert "scaled from 1000 to 3" in bound.classifier.how
    # faster than any convolution there, so that all of it may be a constant, or none: the middle, and as unsure
    assert bound.classifier.entry.ms == pytest.approx(0.5 * own, rel=0.02)
    assert bound.classifier.more == pytest.approx(0.5 * own / np.sqrt(3), rel=0.02)
    (file,) = export_table(table, "nsganetv2", other, tmp_path / "t.yaml")
    again = import_table("nsganetv2", other, [file])
    assert again.entries[other.classifier.key].ms == bound.classifier.entry.ms


def test_an_estimated_table_serves_other_classes(rng):
    space = get_space("mbv3", [192])
    table, genes = estimate(space, "GTX 1080 Ti"), space.sample(20, rng)
    for classes in (2, 37, 600):
        own = estimate(space.with_classes(classes), "GTX 1080 Ti").bind(space.with_classes(classes))
        np.testing.assert_allclose(
            table.bind(own.space).predict(genes).ms, own.predict(genes).ms, rtol=0.01, err_msg=str(classes)
        )


def test_a_classifier_of_other_inputs_is_still_missing(space, table):
    gone = {k: v for k, v in table.entries.items() if not k.startswith("linear")}
    with pytest.raises(TableError, match="lacks 1 of"):
        replace(table, entries=gone | {"linear-1x1x8-1x1x10": Entry(1.0, 0.1, 1)}).bind(space.with_classes(3))


@pytest.mark.parametrize("classes", [0, 1, 10**6])
def test_impossible_numbers_of_classes(classes):
    with pytest.raises(BadInput, match=f"{classes} classes"):
        get_space("tiny", classes=classes)


def test_most_networks_have_the_spaces_own_number():
    space = get_space("mbv3", classes=37)
    assert widths(space) == (2, 37, 100, 1000)
    spread = spread_classes(space, 18, 4)
    assert [spread.count(n) for n in (37, 2, 100, 1000)] == [12, 2, 2, 2] and spread != sorted(spread)
    assert spread == spread_classes(space, 18, 4) != spread_classes(space, 18, 5)


@pytest.fixture(scope="module", params=["in-context", "isolated"])
def built(request, tmp_path_factory):
    space, out = get_space("mbv3", [64]), tmp_path_factory.mktemp("lut") / "t.json"
    plan = BuildPlan(passes=1, networks=36)
    return space, build(Workbench(space, write_onnx, Fake(Behaviour())), out=out, method=request.param, plan=plan)


@pytest.mark.slow
@pytest.mark.parametrize("classes", [3, 37, 100, 1000, 2000])
def test_a_built_table_predicts_networks_of_any_number_of_classes(built, classes):
    space, table = built
    other, genes = space.with_classes(classes), space.sample(12, np.random.default_rng(9))
    truth = [Fake().load(write_onnx(other.layers(a)), Options()).ideal_ms for a in space.decode(genes)]
    found = table.bind(other).predict(genes)
    error = found.ms / truth - 1
    assert np.abs(error).mean() < 0.02 and ((found.low < truth) & (truth < found.high)).mean() > 0.8


@pytest.mark.slow
def test_verify_measures_networks_of_other_classes_beside_the_builds_controls(built):
    space, table = built
    figures = verify(table, Workbench(space.with_classes(3), write_onnx, Fake(Behaviour(seed=5))), archs=8)
    assert figures["classes"] == 3 and figures["mape"] < 0.02 and abs(figures["speed_change"]) < 0.02
