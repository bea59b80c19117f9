"""Models in pieces: joined they are the same, and shared weights travel once."""

from __future__ import annotations

import hashlib

import pytest

from hwnas.onnx.writer import write_onnx
from hwnas.space import get_space
from profilers.devices import pieces
from profilers.devices.pieces import Kept, Sent
from profilers.devices.wire import BadMessage

SPACE = get_space("mbv3", [160])
MODELS = [write_onnx(SPACE.layers(arch)) for arch in SPACE.extremes()]


def sizes(parts):
    return sum(map(len, parts))


def test_joined_they_are_the_same_and_travel_once(tmp_path):
    sent, kept = Sent(), Kept(tmp_path)
    travelled = []
    for model in [*MODELS, MODELS[0], b"no model"]:
        about, parts = sent.cut(model)
        assert kept.join(about, b"".join(parts)) == model
        travelled.append(sizes(parts) / len(model))
    first, second, again, other = travelled
    assert first == other == 1 and second < 1 and again < 0.02
    kept.remove()
    assert not tmp_path.exists()


def test_what_there_is_no_room_for_travels_each_time(tmp_path, monkeypatch):
    monkeypatch.setattr(pieces, "MOST_KEPT", 1_000_000)
    sent, kept = Sent(), Kept(tmp_path)
    for _ in range(2):
        about, parts = sent.cut(MODELS[0])
        assert kept.join(about, b"".join(parts)) == MODELS[0]
    assert 0.5 < sizes(parts) / len(MODELS[0]) < 1
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 1_000_000


SHA = hashlib.sha256(b"abcd").hexdigest()


@pytest.mark.parametrize(
    "about",
    [
        None,
        [{"size": 5, "new": True}],
        [{"size": -1, "new": True}],
        [{"size": 4, "sha": SHA}],
        [{"size": 4, "sha": "../../etc/passwd"}],
        [{"size": 4, "sha": "f" * 64, "new": True}],
        [{"size": True, "new": True}],
        ["piece"],
    ],
)
def test_pieces_that_do_not_fit_are_refused(about, tmp_path):
    with pytest.raises(BadMessage):
        Kept(tmp_path).join(about, b"abcd")


def test_an_engine_s_files_lie_in_a_folder_of_their_own(tmp_path):
    kept = Kept(tmp_path)
    first = kept.unpack({"model.xml": 1, "model.bin": 2}, b"abb")
    assert first.read_bytes() == b"a" and first.with_suffix(".bin").read_bytes() == b"bb"
    assert first.parent.parent == tmp_path
    for sizes in ({"../model.ort": 3}, {"/etc/passwd": 3}, {".hidden": 3}, {"model.ort": 4}, ["model.ort"]):
        with pytest.raises(BadMessage):
            kept.unpack(sizes, b"abb")


def test_a_kept_piece_of_another_size(tmp_path):
    kept = Kept(tmp_path)
    assert kept.join([{"size": 4, "sha": SHA, "new": True}], b"abcd") == b"abcd"
    assert kept.join([{"size": 4, "sha": SHA}], b"") == b"abcd"
    with pytest.raises(BadMessage):
        kept.join([{"size": 3, "sha": SHA}], b"")
