from __future__ import annotations

import numpy as np
import pytest

from hwnas.space import get_space
from lut.formats import FORMATS, export_table, import_table, nsganetv2_yaml
from profilers.errors import BadInput, TableError
from tests.lut.conftest import make_table

SEED = "nsganetv2/i7-8700K_lut.yaml"


def predictions(table, space):
    return table.bind(space).predict(space.sample(200, np.random.default_rng(0)))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", ["mbv3", "mbv3-w1.2", "proxyless", "proxylessnas"])
def test_round_trips_lose_nothing(tmp_path, form, name):
    space = get_space(name, [192, 208, 224])
    first = export_table(make_table(space), form, space, tmp_path / "a")
    imported = import_table(form, space, first)
    again = import_table(form, space, export_table(imported, form, space, tmp_path / "b"))
    assert (predictions(again, space).ms == predictions(imported, space).ms).all()
    np.testing.assert_allclose(predictions(again, space).high, predictions(imported, space).high)
    np.testing.assert_allclose(predictions(imported, space).ms, predictions(make_table(space), space).ms, rtol=0.01)
    assert imported.status == "imported" and imported.method == form


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mbv3", "mbv3-w1.2"])
def test_the_seeds_table_has_every_layer(published, tmp_path, name):
    space = get_space(name, range(96, 257, 4))
    table = import_table("nsganetv2", space, [published / SEED])
    raw = nsganetv2_yaml.parse((published / SEED).read_text(), "seed")
    stem = f"first_conv-input:192x192x3-output:96x96x{space.stem}"
    assert table.entries[space.fixed(192)[0][0].key].ms == raw[stem]["mean"]
    out = export_table(table, "nsganetv2", space, tmp_path / "t.yaml")
    assert (predictions(import_table("nsganetv2", space, out), space).ms == predictions(table, space).ms).all()


def test_ofas_phone_tables_have_every_layer_of_width_1_2(published):
    space = get_space("mbv3-w1.2", [160, 176, 192, 208, 224])
    files = [published / f"ofa/note10/{r}_lookup_table.yaml" for r in space.resolutions]
    table = import_table("ofa", space, files, "Note10")
    assert table.device == "Note10" and 10 < np.median(predictions(table, space).ms) < 100


def test_proxylessnass_phone_table_has_every_layer_of_its_space(published):
    path = published / "proxylessnas/mobile_trim.yaml"
    space, raw = get_space("proxylessnas"), nsganetv2_yaml.parse(path.read_text(), "t")
    table = import_table("proxylessnas", space, [path], "Pixel 1")
    smallest, largest = (table.bind(space).predict(space.encode([arch])).ms[0] for arch in space.extremes())
    names = {f"expanded_conv-{shape}" for shape in (
        "input:112x112x16-output:56x56x24-expand:3-kernel:3-stride:2-idskip:0",
        "input:56x56x24-output:28x28x40-expand:3-kernel:3-stride:2-idskip:0",
        "input:28x28x40-output:14x14x80-expand:3-kernel:3-stride:2-idskip:0",
        "input:14x14x80-output:14x14x96-expand:3-kernel:3-stride:1-idskip:0",
        "input:14x14x96-output:7x7x192-expand:3-kernel:3-stride:2-idskip:0",
        "input:7x7x192-output:7x7x320-expand:3-kernel:3-stride:1-idskip:0",
        "input:112x112x32-output:112x112x16-expand:1-kernel:3-stride:1-idskip:0",
    )} | {"Conv-input:224x224x3-output:112x112x32", "Conv_1-input:7x7x320-output:7x7x1280",
          "Logits-input:7x7x1280-output:1000"}  # fmt: skip
    assert smallest == pytest.approx(sum(raw[name]["mean"] for name in names), rel=1e-6)
    assert 20 < smallest < largest < 300
    for other, resolutions in (("proxyless", [224]), ("proxylessnas", [192])):
        with pytest.raises(TableError, match=rf"lacks \d+ of the \d+ layers of {other}, first Conv-input"):
            import_table("proxylessnas", get_space(other, resolutions), [path])


def test_missing_layers_are_counted_and_the_first_named(published):
    with pytest.raises(TableError, match=r"lacks \d+ of the \d+ layers of mbv3, first Conv-input:224x224x3"):
        import_table("proxylessnas", get_space("mbv3", [224]), [published / "proxylessnas/mobile_trim.yaml"])


OTHER_YAML = [
    "", "a", "a: 1\n", "a:\n  mean: x\n", "a:\n  mean: 1\n  mean: 2\n", "a:\n  mean: 1\na:\n  mean: 2\n",
    "  mean: 1\n", "a:\n  mean: 1e999\n", "a:\n  mean: .nan\n", "a: &x\n  mean: 1\n", "a:\n  - 1\n",
    "!!python/object:os.system:\n  mean: 1\n", "a:\n  mean: {b: 1}\n", "a:\n\tmean: 1\n", "a:\n  mean: --1\n",
]  # fmt: skip


@pytest.mark.parametrize("text", OTHER_YAML)
def test_other_yaml_is_refused(text):
    with pytest.raises(TableError) as error:
        nsganetv2_yaml.parse(text, "t.yaml")
    assert "t.yaml" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "bad", ["mean: 0\n  var: 0", "mean: -1\n  var: 0", "mean: 1\n  var: -1", "mean: 1", "mean: 1\n  std: 0"]
)
def test_impossible_entries_are_refused(tmp_path, bad):
    path = tmp_path / "t.yaml"
    path.write_text(f"classifier-input:1280-output:1000:\n  {bad}\n")
    with pytest.raises(TableError, match="classifier"):
        import_table("nsganetv2", get_space("mbv3", [192]), [path])


def test_bad_requests(tmp_path):
    with pytest.raises(BadInput, match="nsganetv2, ofa, proxylessnas"):
        import_table("caffe", get_space("tiny"), [tmp_path])
    with pytest.raises(BadInput):
        import_table("ofa", get_space("tiny"), [])


def test_reading_is_linear(published):
    """547 kB in well under a second; a quadratic reader would take minutes for ten times as much."""
    text = (published / SEED).read_text()
    many = "".join(text.replace("-input", f"-{i}input") for i in range(10))
    assert len(nsganetv2_yaml.parse(many, "t")) == 40_500
