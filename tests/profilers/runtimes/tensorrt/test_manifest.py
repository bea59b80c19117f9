from __future__ import annotations

import json

import pytest

from profilers.errors import BadInput, FileProblem, FingerprintMismatch
from profilers.runtimes.tensorrt.manifest import (
    BuiltEngine,
    RuntimeEnvironment,
    check_manifest,
    make_manifest,
    read_engine,
    write_engine,
)

AHEAD = RuntimeEnvironment("tensorrt-rtx", "1.7")
CARD = RuntimeEnvironment("tensorrt", "10.13", "Titan RTX", "sm75")
FACTS = {
    "precision": "fp16", "tf32": False, "batch": 64, "optimization": "", "flags": ["TF32"], "build_seconds": 1.5,
    "inputs": [{"name": "input", "shape": [64, 3, 224, 224], "dtype": "float32"}], "outputs": [],
}  # fmt: skip


def engine(here: RuntimeEnvironment = AHEAD, targets: tuple[str, ...] = ("sm86", "sm89")) -> BuiltEngine:
    return BuiltEngine(b"engine", make_manifest(b"engine", b"onnx", here, targets, **FACTS))


def on(capability: str, **changes: str) -> RuntimeEnvironment:
    return RuntimeEnvironment(
        **{"runtime": "tensorrt-rtx", "version": "1.7", "gpu": "A10", "capability": capability, **changes}
    )


@pytest.mark.parametrize("capability", ["sm86", "sm89"])
def test_an_engine_built_ahead_runs_on_each_of_its_targets_whatever_the_card(capability):
    check_manifest(engine().manifest, b"engine", on(capability))


def test_an_engine_tuned_on_a_card_runs_on_that_card():
    check_manifest(engine(CARD, ("sm75",)).manifest, b"engine", CARD)


@pytest.mark.parametrize(
    ("here", "words"),
    [
        (on("sm120"), "capability: sm120 here, sm86 sm89 there"),
        (on(""), "capability: none here"),
        (on("sm86", version="1.8"), "version: 1.8 here, 1.7 there"),
        (on("sm86", runtime="tensorrt"), "runtime: tensorrt here, tensorrt-rtx there"),
    ],
)
def test_another_place_is_refused_with_the_field(here, words):
    with pytest.raises(FingerprintMismatch, match=words) as caught:
        check_manifest(engine().manifest, b"engine", here)
    assert "rebuild" in str(caught.value)


def test_another_card_of_the_same_capability_is_refused_where_the_engine_was_tuned():
    other = RuntimeEnvironment("tensorrt", "10.13", "RTX 2080 Ti", "sm75")
    with pytest.raises(FingerprintMismatch, match="gpu: RTX 2080 Ti here, Titan RTX there"):
        check_manifest(engine(CARD, ("sm75",)).manifest, b"engine", other)


@pytest.mark.parametrize("data", [b"", b"Engine", b"engine\0", b"engin"])
def test_a_changed_engine_is_refused(data):
    with pytest.raises(BadInput, match="SHA-256"):
        check_manifest(engine().manifest, data, on("sm86"))


@pytest.mark.parametrize("name", sorted(engine().manifest))
@pytest.mark.parametrize("wrong", [None, 5.5j, {}], ids=["missing", "complex", "object"])
def test_a_manifest_of_another_form_is_refused(name, wrong):
    manifest = {k: v for k, v in engine().manifest.items() if k != name or wrong is not None}
    if wrong is not None:
        manifest[name] = wrong
    with pytest.raises(BadInput):
        check_manifest(manifest, b"engine", on("sm86"))


def test_fields_that_are_not_known_are_refused():
    with pytest.raises(BadInput, match="unknown key 'evil'"):
        check_manifest({**engine().manifest, "evil": 1}, b"engine", on("sm86"))


@pytest.mark.parametrize("name", ["targets", "flags"])
def test_lists_hold_words(name):
    with pytest.raises(BadInput, match=name):
        check_manifest({**engine().manifest, name: [86]}, b"engine", on("sm86"))


def test_files_are_read_as_written(tmp_path):
    names = write_engine(tmp_path, engine())
    assert names == ["model.sm86-sm89.engine", "model.sm86-sm89.json"]
    found = read_engine(tmp_path / names[0])
    assert found == engine() and json.loads((tmp_path / names[1]).read_text())["batch"] == 64


def test_a_file_of_one_changed_byte_is_refused(tmp_path):
    names = write_engine(tmp_path, engine())
    data = bytearray(engine().data)
    data[3] ^= 1
    (tmp_path / names[0]).write_bytes(bytes(data))
    with pytest.raises(BadInput, match="SHA-256"):
        read_engine(tmp_path / names[0])


def test_an_engine_without_its_manifest_is_refused(tmp_path):
    names = write_engine(tmp_path, engine())
    (tmp_path / names[1]).unlink()
    with pytest.raises(FileProblem):
        read_engine(tmp_path / names[0])
