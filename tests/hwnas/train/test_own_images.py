"""From a folder of images to a supernet, fine-tuned networks and a search's accuracies, by the command line."""

from __future__ import annotations

import json

import pytest

from hwnas.accuracy.supernet import SupernetAccuracy, inherit
from hwnas.cli import main
from hwnas.nets.checkpoint import load_supernet
from hwnas.search.config_files import parse
from hwnas.space import get_space
from tests.hwnas.image_files import write_folder

pytestmark = pytest.mark.slow

SPACE = get_space("tiny", [16], 3)
SMALL, LARGE = SPACE.extremes(16)

SUPERNET = """
space = "tiny"
dataset = "folder:mine?damaged=skip"
resolutions = [16]
out = "super.safetensors"
recipe = {batch = 12}
phases = [{name = "largest", epochs = 12, lr = 0.1}]
"""
FINETUNE = """
dataset = "folder:mine"
archs = "archs.jsonl"
out = "nets"
supernet = "super.safetensors"
epochs = 1
recipe = {batch = 12}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A trained supernet beside its configuration and its images, one of which was damaged."""
    place = tmp_path_factory.mktemp("training")
    write_folder(place / "mine", {"train": 15})
    (place / "mine" / "train" / "ant" / "zz.png").write_bytes(b"")
    (place / "super.toml").write_text(SUPERNET)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HWNAS_CACHE", str(place / "cache"))
        with pytest.raises(SystemExit) as caught:
            main(["train", "supernet", str(place / "super.toml")])
        assert not caught.value.code
        yield place


def test_a_supernet_learns_the_users_images_and_names_them(place):
    supernet, provenance = load_supernet(place / "super.safetensors")
    assert provenance.dataset == f"folder:{place}/mine?damaged=skip&channels=1"  # relative to the configuration
    assert supernet.space.classes == 3 and provenance.training["left_out"] == 1
    assert provenance.training["history"][-1]["largest"] >= 60  # of three grey levels; chance is 33


def test_its_networks_are_judged_on_the_held_out_images(place):
    source = SupernetAccuracy(place / "super.safetensors", SPACE)
    assert source.dataset.size("val") == 9 and source.evaluate(LARGE) == source.evaluate(LARGE) >= 60
    network, dataset = inherit(place / "super.safetensors", SPACE, SMALL)
    assert network.arch == SMALL and dataset is not None and dataset.class_names == ("ant", "bee", "cat")


def test_fine_tuning_reports_what_was_left_out_and_that_there_is_no_test(place, capsys):
    (place / "archs.jsonl").write_text(json.dumps(SMALL.to_json()))
    (place / "fine.toml").write_text(FINETUNE)
    with pytest.raises(SystemExit) as caught:
        main(["train", "finetune", str(place / "fine.toml")])
    printed = capsys.readouterr()
    assert caught.value.code == 2 and "1 damaged image" in printed.err and not (place / "nets").exists()
    with pytest.raises(SystemExit) as caught:
        main(["train", "finetune", str(place / "fine.toml"), "--set", "dataset=folder:mine?damaged=skip"])
    row = json.loads(capsys.readouterr().out)
    assert not caught.value.code
    assert row["left_out"] == 1 and row["val_top1"] is not None and row["test_top1"] is None


def test_a_searchs_data_set_is_relative_to_its_configuration(place):
    data = {"space": "tiny", "accuracy": "supernet:super.safetensors", "evaluate": {"dataset": "folder:mine"}}
    assert parse(data, place, "search.toml").evaluate == {"dataset": f"folder:{place}/mine"}
