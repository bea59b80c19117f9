"""What `hwnas export` is given: each kind is told apart, and a file is read once."""

from __future__ import annotations

import json

import pytest

from hwnas.export.run_source import RunSource
from hwnas.export.source import FileSource, open_source
from hwnas.export.source_options import SourceOptions
from hwnas.export.weights import Wanted
from hwnas.ofa import network_files
from hwnas.space import get_space
from profilers.errors import BadInput
from tests.hwnas.net_configs import net_config
from tests.hwnas.searching import SPACE, run_search

RANDOM = Wanted(random=True)


@pytest.fixture
def reads(monkeypatch):
    """Names of the files of networks that were read, in order."""
    found, real = [], network_files.read_text

    def read_text(path):
        found.append(path.name)
        return real(path)

    monkeypatch.setattr(network_files, "read_text", read_text)
    return found


def test_an_architecture_is_one_item_with_the_weights_asked_for(tmp_path, reads):
    arch = SPACE.extremes()[0]
    (tmp_path / "arch.json").write_text(json.dumps(arch.to_json()))
    with open_source(tmp_path / "arch.json", SourceOptions(space="tiny", weights=RANDOM)) as source:
        assert isinstance(source, FileSource) and source.ids == [""] and source.about == ""
        assert source.item("").arch == arch and source.weights == source.item("").weights == "random"
    assert reads == ["arch.json"]


def test_a_net_config_says_what_was_read(tmp_path, reads):
    space = get_space("mbv3", [64])
    (tmp_path / "net.config").write_text(json.dumps(net_config(space.layers(space.extremes()[0]))))
    with open_source(tmp_path / "net.config", SourceOptions(resolutions=(64,), weights=RANDOM)) as source:
        assert source.item("").arch == space.extremes()[0] and "of space mbv3, 64 px" in source.about
    assert reads == ["net.config"]


def test_a_folder_is_a_run(tmp_path):
    run_search(tmp_path / "run", iterations=0).archive.close()
    with open_source(tmp_path / "run", SourceOptions(front=True, weights=RANDOM)) as source:
        assert isinstance(source, RunSource) and len(source.ids) > 1
        assert source.item(source.ids[1]).arch.id == source.ids[1]


def test_two_architectures_are_not_one_network(tmp_path):
    lines = "".join(json.dumps(arch.to_json()) + "\n" for arch in SPACE.extremes())
    (tmp_path / "two.jsonl").write_text(lines)
    with pytest.raises(BadInput, match="holds 2 architectures"):
        open_source(tmp_path / "two.jsonl", SourceOptions(space="tiny", weights=RANDOM))


@pytest.mark.parametrize(
    ("options", "given"),
    [
        (SourceOptions(), []),
        (SourceOptions(ids=["x"], front=True), ["--id", "--all"]),
        (SourceOptions(classes=0, weights=Wanted(recalibrate=False)), ["--classes", "--no-recalibration"]),
    ],
)
def test_options_have_the_names_of_the_command_line(options, given):
    assert options.given == given
