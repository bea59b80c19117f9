"""A space of one's own, from TOML, Python or a package; and that what hwnas writes holds it whole."""

from __future__ import annotations

import json
import sys
import textwrap
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

import lut
from hwnas.nets import Network, Supernet
from hwnas.nets.checkpoint import Provenance, load_network, load_supernet, save_network, save_supernet
from hwnas.onnx.writer import write_onnx
from hwnas.search.config import Config
from hwnas.search.run import create_run, open_run
from hwnas.search.worker import open_source
from hwnas.space import SPACES, SearchSpace, get_space, is_built_in, space_of_table, stored_space
from hwnas.space.arch_lines import stated
from lut.build.bench import Workbench
from lut.build.pipeline import build
from lut.build.schedule import BuildPlan
from lut.verify import verify
from profilers import plugins
from profilers.errors import BadInput, TableError
from profilers.runtimes.fake import Fake
from tests.hwnas.cli.test_basics import call

TOML = """
# A small space for 32-pixel images.
resolutions = "24:32:8"
stem = 8
final = 32
mix = 0
classes = 10
kernels = [3, 5]
expands = [2, 3]
depths = [1, 2]

[[stages]]
channels = 8
stride = 2
act = "relu"
se = false

[[stages]]
channels = 16
stride = 2
act = "hswish"
se = true
"""
DATA = Path(__file__).parent / "data"
ROOT = Path(__file__).resolve().parents[3]
ABOUT = Provenance("digits", (0.5,), (0.5,))


@pytest.fixture
def toml(tmp_path):
    path = tmp_path / "my-space.toml"
    path.write_text(TOML)
    return path


@pytest.fixture
def own(toml):
    return get_space(str(toml))


def test_a_toml_file_is_a_space(own):
    assert (own.name, own.resolutions, own.kernels, own.depths) == ("my-space", (24, 32), (3, 5), (1, 2))
    assert own.size == 2 * (4 + 16) ** 2
    assert get_space(own, [28], 3).resolutions == (28,) and get_space(own, classes=3).classes == 3


def test_what_is_given_out_is_the_same_space_again(own):
    for space in (own, *SPACES.values(), replace(SPACES["mbv3"], stem=24)):
        again = SearchSpace.from_json(json.loads(json.dumps(space.to_json())))
        assert (again, again.signature, again.classes) == (space, space.signature, space.classes)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("stem = 0", "my-space.toml: stem of space my-space 0; allowed: an integer from 1 to 16384"),
        ("stem = '8'", "my-space.toml: stem = '8'; allowed: a whole number"),
        ("stemm = 8", "my-space.toml: unknown key 'stemm'; allowed: stem"),
        ("kernels = [3, 4]", "my-space.toml: kernel 4 of space my-space; allowed: odd numbers"),
        ("expands = []", "my-space.toml: expands of space my-space ()"),
        ("act = 'gelu'", "my-space.toml: activation of space my-space 'gelu'; allowed: none, relu, relu6, hswish"),
        ("resolutions = '32'", "resolutions of space my-space 32; allowed: an integer from 4 to 16"),
        ("name = 'x.toml'", "name 'x.toml' of a space; allowed: letters, digits"),
        ("name = 'python:x:y'", "name 'python:x:y' of a space"),
        ("eps = nan", "my-space.toml: eps = nan"),
        ("stem", "my-space.toml is not valid TOML"),
    ],
)
def test_what_does_not_fit_is_one_line(toml, capsys, line, said):
    name = line.partition(" ")[0]
    head, found, stages = TOML.partition("[[stages]]")
    kept = [old for old in head.splitlines() if not old.startswith(f"{name} =")] + [found + stages]
    if name == "resolutions":
        kept.insert(0, "resolution_bounds = [4, 16]")
    toml.write_text("\n".join([line, *kept]))
    toml.with_name("a.jsonl").write_text("{}")
    code, out, err = call(capsys, "count", "--space", str(toml), "--archs", str(toml.with_name("a.jsonl")))
    assert (code, out, err.count("\n")) == (2, "", 1) and said in err


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("channels = 8", "channels = 0", "channels of a stage 0"),
        ("stride = 2", "stride = 5", "stride of a stage 5; allowed: an integer from 1 to 4"),
        ("stride = 2", "", "stages.0 lacks stride; allowed: stride = a whole number"),
        ('act = "relu"', 'act = "tanh"', "activation of a stage 'tanh'"),
        ("se = false", "se = 0", "stages.0.se = 0; allowed: true or false"),
        ("se = false", "se = false\nkind = 'x'", "kind of a stage's layers 'x'"),
        ("se = false", "se = false\nname = 'x'", "stages.0: unknown key 'name'"),
    ],
)
def test_a_stage_that_does_not_fit_is_one_line(toml, old, new, said):
    toml.write_text(TOML.replace(old, new, 1))
    with pytest.raises(BadInput) as caught:
        get_space(str(toml))
    assert said in str(caught.value) and "\n" not in str(caught.value) and str(toml) in str(caught.value)


def test_from_a_module_and_from_a_package(tmp_path, monkeypatch, own):
    module = f"from hwnas.space import SearchSpace\nOWN = SearchSpace.from_json({own.to_json()!r})\nother = 3\n"
    (tmp_path / "a_space_of_mine.py").write_text(module)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "a_space_of_mine", raising=False)
    assert get_space("python:a_space_of_mine:OWN", folder=tmp_path) == own
    with pytest.raises(BadInput, match=r"is a int; allowed: a hwnas.space.SearchSpace"):
        get_space("python:a_space_of_mine:other", folder=tmp_path)
    found = [EntryPoint("packaged", "a_space_of_mine:OWN", "hwnas.spaces")]
    monkeypatch.setattr(plugins, "entry_points", lambda group: found if group == "hwnas.spaces" else [])
    monkeypatch.setattr(SPACES, "_found", {})
    assert "packaged" in SPACES and get_space("packaged") == own and get_space("packaged", classes=3).classes == 3
    with pytest.raises(BadInput, match=r"unknown space 'packagd'; allowed: .*try: packaged"):
        get_space("packagd")


def test_a_file_names_no_module_that_is_imported(tmp_path, monkeypatch, own):
    (tmp_path / "planted_module.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    evil = "python:planted_module:X"
    with pytest.raises(BadInput, match="whose definition it does not hold"):
        stored_space(evil, None, where="t.json")
    with pytest.raises(BadInput, match=r"t\.json is of a space 'mbv3'; allowed: 'my-space', as its definition says"):
        stored_space("mbv3", own.to_json(), where="t.json")
    run = create_run(tmp_path / "run", Config("tiny", "given", objectives=("top1", "params")))
    run.archive.close()
    text = (tmp_path / "run/run.toml").read_text().replace('"tiny"', f'"{evil}"')
    (tmp_path / "run/run.toml").write_text(text)
    with pytest.raises(BadInput, match=r"run\.toml is of a space 'python:planted_module:X', whose definition"):
        open_run(tmp_path / "run")
    (tmp_path / "a.jsonl").write_text(json.dumps({"arch": {}, "space": evil}))
    with pytest.raises(BadInput, match=r"a\.jsonl holds networks of space 'python:planted_module:X', which is not"):
        from hwnas.ofa.network_files import read_networks

        read_networks(tmp_path / "a.jsonl")
    assert "planted_module" not in sys.modules


def table_of(space, path):
    plan = BuildPlan(passes=1, networks=12)
    return build(Workbench(space, write_onnx, Fake()), out=path, method="in-context", plan=plan)


def test_a_table_holds_its_space(own, tmp_path):
    table_of(own, tmp_path / "t.json")
    table = lut.load(tmp_path / "t.json")
    assert space_of_table(table) == own and space_of_table(table, 3) == own.with_classes(3)
    genes = own.sample(5, np.random.default_rng(0))
    exact = [sum(table.entries[x.key].ms for x in own.layers(arch)) for arch in own.decode(genes)]
    assert table.bind(space_of_table(table)).sums(genes) == pytest.approx(exact)
    changed = replace(table, space=replace(table.space, signature="0" * 12))
    with pytest.raises(TableError, match="says signature 000000000000 of its space my-space"):
        space_of_table(changed)
    older = replace(table, space=replace(table.space, definition=None))
    with pytest.raises(BadInput, match="the latency table is of a space 'my-space', whose definition it does not hold"):
        space_of_table(older)


def test_networks_and_supernets_hold_theirs(own, tmp_path):
    supernet = Supernet(own)
    save_supernet(tmp_path / "s.safetensors", supernet, ABOUT)
    assert load_supernet(tmp_path / "s.safetensors")[0].space == own
    arch = own.extremes()[1]
    save_network(tmp_path / "n.safetensors", Network(own.layers(arch), arch), own, ABOUT)
    network, space, _ = load_network(tmp_path / "n.safetensors")
    assert (space, network.arch) == (own, arch)


def test_a_space_that_was_changed_under_a_built_in_name_is_another(tmp_path, capsys):
    changed = replace(SPACES["tiny"], stem=16, resolutions=(12, 20))
    assert is_built_in(get_space("tiny", [12], 3)) and not is_built_in(changed)
    table_of(changed, tmp_path / "t.json")
    table = lut.load(tmp_path / "t.json")
    assert space_of_table(table) == changed
    with pytest.raises(TableError, match=rf"table of space 'tiny' \({changed.signature}\) for space 'tiny'"):
        table.bind(get_space("tiny", [12, 20]))
    (tmp_path / "changed.toml").write_text(_toml(changed))
    arch = changed.extremes()[0]
    ours, theirs = stated(arch, changed), stated(arch, get_space("tiny", [12, 20]))
    assert ours["signature"] == changed.signature and "signature" not in theirs
    for row, space in ((ours, "tiny"), (theirs, str(tmp_path / "changed.toml"))):
        (tmp_path / "a.jsonl").write_text(json.dumps(row))
        code, out, err = call(capsys, "count", "--space", space, "--archs", str(tmp_path / "a.jsonl"))
        assert (code, out) == (2, "") and "a network of another space tiny" in err
    (tmp_path / "a.jsonl").write_text(json.dumps(ours))
    options = ["--space", str(tmp_path / "changed.toml"), "--archs", str(tmp_path / "a.jsonl")]
    code, out, _ = call(capsys, "count", *options)
    assert code == 0 and json.loads(out)["params"] == sum(x.params for x in changed.layers(arch))


def _toml(space) -> str:
    import tomli_w

    return tomli_w.dumps(space.to_json())


SEARCH = """
space = "{space}"
accuracy = "python:a_small_space:top1"
objectives = ["top1", "params", "cpu_ms"]
[tables]
cpu_ms = "t.json"
[search]
initial = 4
iterations = 1
per_iteration = 2
surrogate = "rbf"
population = 8
generations = 2
[executor]
kind = "processes"
"""


@pytest.mark.slow
@pytest.mark.parametrize("reference", ["my-space.toml", "python:a_small_space:SMALL"])
def test_the_whole_way_by_command_line(reference, tmp_path, capsys, monkeypatch):
    """From files of at most 25 lines, which are gone when the run is read, elsewhere."""
    files = [tmp_path / path.name for path in DATA.iterdir() if path.is_file()]
    for path in files:
        path.write_text((DATA / path.name).read_text())
        assert path.read_text().count("\n") <= 25
    monkeypatch.delitem(sys.modules, "a_small_space", raising=False)
    monkeypatch.chdir(tmp_path)
    own = get_space(reference)
    table_of(own, tmp_path / "t.json")
    (tmp_path / "c.toml").write_text(SEARCH.format(space=reference))
    said = _run(capsys, "search", "c.toml", "--out", "run")
    assert json.loads(said)["failed"] == 0
    for path in files:
        path.unlink()
    monkeypatch.delitem(sys.modules, "a_small_space", raising=False)
    moved = (tmp_path / "run").rename(tmp_path / "moved")
    monkeypatch.chdir("/")
    rows = [json.loads(line) for line in _run(capsys, "select", str(moved), "-n", "2").splitlines()]
    assert {(row["space"], row["signature"], row["classes"]) for row in rows} == {(own.name, own.signature, 10)}
    with open_run(moved) as run:
        assert run.space == own
    assert "slot 0" in _run(capsys, "lut", "show", str(tmp_path / "t.json"))
    _run(capsys, "report", str(moved), "--out", str(tmp_path / "r.html"))
    assert (tmp_path / "r.html").stat().st_size > 1000
    options = ["--id", rows[0]["id"], "--engine", "onnx", "--random-weights", "--out", str(tmp_path / "e")]
    assert json.loads(_run(capsys, "export", str(moved), *options))["id"] == rows[0]["id"]


def _run(capsys, *arguments) -> str:
    code, out, err = call(capsys, *arguments)
    assert code == 0, err
    return out


def test_lines_of_own_spaces_need_the_users_word(tmp_path, capsys, monkeypatch):
    (tmp_path / "my-space.toml").write_text((DATA / "my-space.toml").read_text())
    monkeypatch.chdir(tmp_path)
    own = get_space("my-space.toml")
    arch = own.extremes()[0]
    (tmp_path / "a.jsonl").write_text(json.dumps(stated(arch, own)))
    code, _, err = call(capsys, "count", "--archs", "a.jsonl")
    assert code == 2 and "a.jsonl holds networks of space 'my-space', which is not built in" in err
    assert "try: --space my-space, --space FILE.toml or --space python:module:NAME" in err
    code, _, err = call(capsys, "count", "--archs", "a.jsonl", "--space", "tiny")
    assert code == 2 and "--space tiny for a.jsonl; allowed: space my-space, as its lines say" in err
    out = _run(capsys, "count", "--archs", "a.jsonl", "--space", "my-space.toml")
    assert json.loads(out)["madds"] == sum(x.madds for x in own.layers(arch))


def test_a_table_serves_other_classes_and_fewer_resolutions(own, tmp_path):
    table_of(own, tmp_path / "t.json")
    table = lut.load(tmp_path / "t.json")
    three = get_space(space_of_table(table), [24], 3)
    assert three.signature == table.space.signature
    genes = three.sample(4, np.random.default_rng(0))
    exact = [sum(table.bind(three).entries[x.key].ms for x in three.layers(arch)) for arch in three.decode(genes)]
    assert table.bind(three).sums(genes) == pytest.approx(exact)
    figures = verify(table, Workbench(three, write_onnx, Fake()), archs=8)
    assert figures["classes"] == 3 and figures["mape"] < 0.1
    with pytest.raises(TableError, match=r"lacks \d+ of the \d+ layers of my-space.*allowed: resolutions 24,32"):
        table.bind(get_space(own, [28]))


def test_a_worker_needs_no_registry(own):
    config = Config("my-space", "given", definition=own.to_json())
    source = json.loads(config.source())
    assert source["space"] == "my-space" and SearchSpace.from_json(source["definition"]) == own
    with pytest.raises(BadInput, match="object of the program"):
        open_source(config.source())


def test_a_run_goes_on_only_in_its_own_space(toml, own, tmp_path):
    from hwnas.search.run import resume_run

    config = Config(str(toml), "given", objectives=("top1", "params"))
    create_run(tmp_path / "run", config).archive.close()
    resume_run(tmp_path / "run", config).archive.close()
    toml.write_text(TOML.replace("stem = 8", "stem = 16"))
    with pytest.raises(BadInput, match=r"the space was my-space \(\w{12}\), is my-space \(\w{12}\)"):
        resume_run(tmp_path / "run", config)


@pytest.mark.slow
def test_a_supernet_of_ones_own_trains_and_resumes_by_its_definition(toml, tmp_path, capsys):
    config = """
    space = "my-space.toml"
    dataset = "digits"
    out = "s.safetensors"
    [[phases]]
    name = "all"
    epochs = 1
    lr = 0.05
    """
    toml.write_text(TOML.replace("stem = 8", "stem = 8\nin_channels = 1"))
    (toml.parent / "train.toml").write_text(textwrap.dedent(config))
    code, _, err = call(capsys, "train", "supernet", str(toml.parent / "train.toml"))
    assert code == 0, err
    toml.unlink()
    supernet, provenance = load_supernet(toml.parent / "s.safetensors")
    assert supernet.space.name == "my-space" and provenance.training["config"]["definition"]["stem"] == 8


def test_depths_may_have_gaps():
    space = replace(SPACES["tiny"], depths=(1, 4), kernels=(3,), expands=(3,), resolutions=(12,))
    raw = np.random.default_rng(0).integers(space.lower, space.upper + 1, (5000, space.n_genes))
    assert {d for arch in space.decode(raw) for d in arch.d} == {1, 4}
    every = {row.tobytes() for row in space.all_genes()}
    assert space.size == len(every) == 8 and {row.tobytes() for row in space.canonical(raw)} <= every


def test_an_architecture_made_by_hand_is_checked_whole():
    tiny = SPACES["tiny"]
    arch = replace(tiny.extremes()[0], ks=(3, 3))
    with pytest.raises(BadInput, match="'ks' of an architecture has 2 entries; allowed: 3, the sum of d"):
        tiny.layers(arch)


@pytest.mark.parametrize("name", ["my-space.toml", "a_small_space.py"])
def test_the_page_shows_what_is_tested(name):
    assert (DATA / name).read_text() in (ROOT / "docs/spaces.md").read_text()
