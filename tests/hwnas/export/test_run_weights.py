"""What is exported of a run is what it evaluated, with inherited weights and with weights fine-tuned in the search."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from hwnas.accuracy.supernet import SupernetAccuracy
from hwnas.data import get_dataset
from hwnas.export import datasheet, parity
from hwnas.export.pipeline import export
from hwnas.export.run_source import RunSource, items_of_run
from hwnas.nets.checkpoint import Provenance, load_network, save_supernet
from hwnas.nets.supernet import Supernet
from hwnas.search import driver, executors
from hwnas.search.config import Config, SearchSettings
from hwnas.search.front import front
from hwnas.search.kept_weights import WEIGHTS, weights_file
from hwnas.search.run import create_run, open_run, resume_run
from hwnas.space import get_space
from profilers.errors import BadInput, FileProblem
from profilers.registry import get_profiler
from tests.hwnas.exporting import REQUEST

pytestmark = pytest.mark.slow

RESOLUTIONS = (8, 10)
SEARCH = SearchSettings(initial=4, iterations=0, surrogate="gp", population=16, generations=4)
ONE_IMAGE = 100 / 400 + 1e-6  # of the digits' validation images


@pytest.fixture(scope="module")
def supernet(tmp_path_factory):
    """Never trained: what matters is that weights are the same, not that they are good."""
    path = tmp_path_factory.mktemp("supernet") / "supernet.safetensors"
    data = get_dataset("digits")
    save_supernet(path, Supernet(get_space("tiny", RESOLUTIONS)), Provenance("digits", data.mean, data.std))
    return path


def config(supernet, epochs: int) -> Config:
    options = {"views": 0, "calibration": 300, "finetune_epochs": epochs, "finetune_lr": 0.1}
    return Config("tiny", f"supernet:{supernet}", RESOLUTIONS, objectives=("top1", "madds"), evaluate=options,
                  search=SEARCH)  # fmt: skip


def searched(folder, settings: Config):
    with executors.start(settings.source(folder), settings.executor) as started, create_run(folder, settings) as run:
        driver.search(run, started)
    return folder


@pytest.fixture(scope="module")
def tuned(supernet, tmp_path_factory):
    return searched(tmp_path_factory.mktemp("runs") / "tuned", config(supernet, 1))


def rows_of(folder):
    with open_run(folder) as run:
        rows = run.archive.evaluations()
        return {row.arch.id: row.objectives["top1"] for row in rows}, [r.arch.id for r in front(run.problem, rows)]


def of_engine(item, folder) -> float:
    """Top-1 of the exported engine on the validation split, in ONNX Runtime."""
    export({"": item}, replace(REQUEST, engine="onnx"), folder)
    with get_profiler("onnxruntime").load(folder / "model.onnx") as session:
        return parity.top1(*parity.logits_over(item.judged, partial(parity.logits_of, session)))


def test_an_inherited_network_is_exported_as_it_was_evaluated(supernet, tmp_path):
    folder = searched(tmp_path / "plain", config(supernet, 0))
    archived, best = rows_of(folder)
    assert not (folder / WEIGHTS).exists() and len(set(archived.values())) > 1
    for key in best:
        item = items_of_run(folder, [key])[key]
        assert of_engine(item, tmp_path / key) == pytest.approx(archived[key], abs=ONE_IMAGE)
        weights = datasheet.read(tmp_path / key)["weights"]
        assert re.search(r"BatchNorm recalibrated on digits, which moved top-1 from [\d.]+ % to [\d.]+ % on", weights)
    text = (folder / "run.toml").read_text()
    (folder / "run.toml").write_text(text.replace("supernet.safetensors", "gone.safetensors"))
    with pytest.raises(FileProblem, match=r"the supernet of .* is not at .*gone\.safetensors; try: --supernet"):
        items_of_run(folder, best[:1])


def test_the_front_of_a_search_that_fine_tunes_is_kept_and_exported(tuned, tmp_path):
    archived, best = rows_of(tuned)
    assert sorted(path.stem for path in (tuned / WEIGHTS).iterdir()) == sorted(best) and len(best) < len(archived)
    for key in best:
        item = items_of_run(tuned, [key])[key]
        assert of_engine(item, tmp_path / key) == pytest.approx(archived[key], abs=ONE_IMAGE)
        assert f"fine-tuned on digits in the search (weights/{key}.safetensors" in item.weights


def test_a_run_that_was_moved_needs_no_supernet(tuned, tmp_path):
    archived, best = rows_of(tuned)
    moved = shutil.copytree(tuned, tmp_path / "moved")
    text = (moved / "run.toml").read_text()
    (moved / "run.toml").write_text(text.replace("supernet.safetensors", "gone.safetensors"))
    with RunSource(moved, front=True) as source:
        assert source.weights != "random" and sorted(source.ids) == sorted(best)
        assert of_engine(source.item(best[0]), tmp_path / "x") == pytest.approx(archived[best[0]], abs=ONE_IMAGE)


def test_what_was_not_kept_is_fine_tuned_again_and_checked(tuned, tmp_path):
    archived, best = rows_of(tuned)
    other = next(key for key in archived if key not in best)
    item = items_of_run(tuned, [other])[other]
    assert "again as in the search" in item.weights
    assert of_engine(item, tmp_path / "x") == pytest.approx(archived[other], abs=ONE_IMAGE)


def test_another_accuracy_after_fine_tuning_again_is_refused(tuned, monkeypatch):
    archived, best = rows_of(tuned)
    other = next(key for key in archived if key not in best)
    monkeypatch.setattr(SupernetAccuracy, "judge", lambda self, network: archived[other] + 0.6)
    with pytest.raises(BadInput, match=rf"{archived[other] + 0.6:.2f} % instead of {archived[other]:.2f} %"):
        items_of_run(tuned, [other])


def test_a_kept_file_of_another_network_is_refused(tuned, tmp_path):
    copied = shutil.copytree(tuned, tmp_path / "copied")
    archived, best = rows_of(tuned)
    other = next(key for key in archived if key not in best)
    shutil.copy(weights_file(copied, best[0]), weights_file(copied, other))
    with pytest.raises(BadInput, match="holds another network"):
        items_of_run(copied, [other])


def test_a_search_that_was_killed_goes_on_with_the_same_weights(supernet, tuned, tmp_path, monkeypatch):
    settings, folder, real, done = config(supernet, 1), tmp_path / "killed", SupernetAccuracy.judge, []

    def judge(self, network):
        done.append(network.arch.id)
        if len(done) == 3:
            raise KeyboardInterrupt
        return real(self, network)

    monkeypatch.setattr(SupernetAccuracy, "judge", judge)
    with pytest.raises(KeyboardInterrupt):
        searched(folder, settings)
    monkeypatch.setattr(SupernetAccuracy, "judge", real)
    with executors.start(settings.source(folder), settings.executor) as started, resume_run(folder, settings) as run:
        driver.search(run, started)
    assert rows_of(folder) == rows_of(tuned)
    for path in (tuned / WEIGHTS).iterdir():
        ours, theirs = (load_network(p)[0].state_dict() for p in (path, folder / WEIGHTS / path.name))
        assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
