"""A recipe fits the images, the weights and the machine, and says why."""

from __future__ import annotations

import shutil

import pytest

import hwnas as surface
from hwnas.accuracy.protocol import Pace
from hwnas.recipe import proposal
from hwnas.recipe.program import run_recipe
from hwnas.recipe.proposing import reference_of
from hwnas.recipe.settings import load
from hwnas.space import get_space
from profilers.errors import BadInput
from tests.drawings import make


@pytest.fixture(scope="module")
def drawings(tmp_path_factory):
    return make(tmp_path_factory.mktemp("a folder") / "my pictures", classes=2, per_class=10, size=32, layout="flat")


@pytest.fixture
def begin(drawings, tmp_path):
    """Write a recipe for the drawings on the simulated device; gives its settings and what was returned."""

    def init(**options):
        found = surface.init(drawings, tmp_path, **{"engine": "fake", "minutes": 2, **options})
        return load(tmp_path / "recipe.toml"), found

    return init


def test_it_fits_and_can_be_run(begin, tmp_path):
    settings, found = begin()
    assert (settings.space, settings.resolutions, settings.minutes) == ("small", (32,), 2)
    assert settings.budget["cpu_ms"] > 0 and found["classes"] == 2
    assert sum(found["expected"].values()) == pytest.approx(120, rel=0.5)
    lines: list[str] = []
    run_recipe(tmp_path / "recipe.toml", dry_run=True, say=lines.append, overrides=["compare.models=[]"])
    assert lines[-1].startswith("everything fits; about ") and not (tmp_path / "out").exists()


def test_a_recipe_that_is_there_is_kept(begin):
    begin()
    with pytest.raises(BadInput, match=r"recipe.toml is there already; .*; try: --fresh, to replace it"):
        begin()
    assert begin(fresh=True, budget=7)[0].budget == {"cpu_ms": 7}


def test_damaged_images_are_left_out(begin, drawings, tmp_path):
    folder = tmp_path / "some"
    shutil.copytree(drawings, folder)
    next(folder.glob("circle/*.png")).write_bytes(b"\x89PNG\r\n\x1a\n but no more")
    surface.init(folder, tmp_path, engine="fake", minutes=2)
    settings, text = load(tmp_path / "recipe.toml"), (tmp_path / "recipe.toml").read_text()
    assert settings.images == "folder:some?damaged=skip" and "1 damaged ones are left out" in text


def test_images_are_named_as_the_user_did_or_from_the_recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("recipes", "pictures", "recipes/pictures"):
        (tmp_path / name).mkdir()
    recipes = tmp_path / "recipes"
    assert reference_of("pictures", recipes) == "folder:../pictures"
    assert reference_of(tmp_path / "pictures", recipes) == f"folder:{tmp_path}/pictures"
    assert reference_of(recipes / "pictures", recipes) == "folder:pictures"
    assert reference_of("digits", recipes) == "digits"
    with pytest.raises(BadInput, match=r"--images photos: no such folder; allowed: .* cifar10:DIR"):
        reference_of("photos", recipes)


@pytest.mark.parametrize(
    ("name", "pixels", "pretrained", "expected"),
    [
        ("small", 64, False, [48, 64]),
        ("small", 500, False, [72, 96]),
        ("small", 20, False, [32]),
        ("mbv3", 300, False, [192, 256]),
        ("mbv3", 100, False, [64, 96]),
        ("mbv3", 64, True, [128]),
        ("mbv3", 200, True, [128, 192]),
    ],
)
def test_resolutions_fit_the_images(name, pixels, pretrained, expected):
    space = get_space(name)
    found, _ = proposal.resolutions_for(space, pixels, pretrained)
    assert found == expected
    get_space(space, found)  # the space can have them


def test_the_space_fits_the_images():
    assert proposal.space_for(64, 100_000, None)[0] == "small"
    assert proposal.space_for(224, 100_000, None)[0] == "mbv3"
    name, why = proposal.space_for(224, 2000, None)
    assert name == "small" and "too few" in why


def test_the_wish_grows_with_the_images_within_bounds():
    pace = Pace(3e-3, 1e-3)
    found = [proposal.minutes_for(pace, images, True)[0] for images in (100, 10_000, 10**7)]
    assert found == sorted(found) and (found[0], found[-1]) == (proposal.SHORTEST, proposal.LONGEST)


def test_the_command(hwnas, drawings, tmp_path):
    code, rows, told = hwnas("init", tmp_path, "--images", drawings, "--engine", "fake", "--minutes", 2)
    assert code == 0 and rows[0]["space"] == "small" and f"next: hwnas run {tmp_path}/recipe.toml" in told
    code, _, told = hwnas("init", tmp_path)
    assert code == 2 and "hwnas init without images; allowed: --images DIR" in told
    code, _, told = hwnas("run", tmp_path / "recipe.toml", "--until", "exprot")
    assert code == 2 and "a stage 'exprot'" in told


def test_the_command_prints_templates(capfd):
    from hwnas.cli import main

    with pytest.raises(SystemExit) as caught:
        main(["init", "run"])
    assert caught.value.code == 0 and "\nimages = " in capfd.readouterr().out
