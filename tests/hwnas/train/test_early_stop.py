"""Early stop: the best weights by validation are kept, whatever interrupts it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hwnas.data import Dataset
from hwnas.nets.checkpoint import load_network
from hwnas.nets.tensorfile import read_tensors
from hwnas.space import get_space
from hwnas.train import FinetuneConfig, Finetuning, Recipe, Regularise, Training, early_stop
from hwnas.train.defaults import finetune_defaults
from hwnas.train.optimise import torch_threads
from hwnas.train.state import StateFile
from profilers.errors import BadInput

torch.set_num_threads(1)
ARCH = get_space("tiny", [12], 3).extremes()[0]


@pytest.fixture
def config(root, tmp_path) -> FinetuneConfig:
    return FinetuneConfig(
        f"folder:{root}?channels=1", Path("archs"), tmp_path / "nets", space="tiny", resolutions=(12,), epochs=6,
        patience=2, lr=0.1, recipe=Recipe(batch=8, dropout=0.1), regularise=Regularise(ema=0.5),
    )  # fmt: skip


@pytest.fixture
def best_is_second(monkeypatch) -> None:
    by_pass = {1: 40.0, 2: 60.0, 3: 60.0, 4: early_stop.NONE}  # an equal one is no better
    monkeypatch.setattr(early_stop, "_validated", lambda training: by_pass[training.done])


def weights(facts: dict) -> dict[str, torch.Tensor]:
    return read_tensors(Path(facts["file"]))[0]


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_it_ends_in_the_best_weights_of_the_same_schedule(config, best_is_second, capsys):
    [facts] = Finetuning(config).run([ARCH])
    assert facts["early_stop"] == "stopped after 4 of 6 passes, best at 2"
    assert f"hwnas: {ARCH.id}: stopped after 4 of 6 passes, best at 2" in capsys.readouterr().err
    assert facts["epochs"] == 4 and facts["steps"] == 4 * 3
    work = Finetuning(replace(config, patience=0))
    with torch_threads(config.threads):  # other tests may have set another number, and sums differ by it
        training = Training(
            work.network(ARCH), work.dataset, lr=0.1, epochs=6, recipe=config.recipe, regularise=config.regularise
        )
        training.run_epoch()
        training.run_epoch()
        training.finish()
    expected, found = training.network.state_dict(), load_network(Path(facts["file"]))[0].state_dict()
    differ = {k for k in expected.keys() | found.keys() if not torch.equal(expected[k], found[k])}
    assert all(k.endswith("num_batches_tracked") for k in differ), differ  # fine-tuning recalibrates at the start too


def test_killed_behind_any_pass_it_ends_the_same(config, best_is_second, tmp_path, monkeypatch):
    [expected] = Finetuning(config).run([ARCH])
    broken, save, count = replace(config, out=tmp_path / "broken"), StateFile.save, [0]

    def dying(*arguments):
        save(*arguments)
        count[0] += 1
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(StateFile, "save", dying)
        for _ in range(4):
            with pytest.raises(KeyboardInterrupt):
                list(Finetuning(broken).run([ARCH]))
    with pytest.raises(BadInput, match="patience was 2, is 3"):
        list(Finetuning(replace(broken, patience=3)).run([ARCH]))
    [found] = Finetuning(broken).run([ARCH])
    assert count[0] == 4 and same(weights(found), weights(expected))
    assert {k for k in expected if found[k] != expected[k]} <= {"file", "seconds"}


def test_validation_images_decide_and_training_is_not_disturbed(config, monkeypatch):
    seen, asked, real, batches = [], [], early_stop._validated, Dataset.batches

    def spied(training: Training) -> float:
        with monkeypatch.context() as patch:
            patch.setattr(
                Dataset, "batches", lambda self, split, *more: asked.append(split) or batches(self, split, *more)
            )
            seen.append(real(training))
        return seen[-1]

    monkeypatch.setattr(early_stop, "_validated", spied)
    [facts] = Finetuning(replace(config, epochs=3, patience=3)).run([ARCH])
    assert facts["val_top1"] == max(seen) and {*asked} == {"val"} and len(seen) == 3
    assert facts["early_stop"] == f"all 3 passes, best at {seen.index(max(seen)) + 1}"
    monkeypatch.setattr(early_stop, "_validated", lambda training: float(training.done))  # the last is the best
    [last] = Finetuning(replace(config, epochs=3, patience=3, out=config.out / "last")).run([ARCH])
    [plain] = Finetuning(replace(config, epochs=3, patience=0, out=config.out / "plain")).run([ARCH])
    assert same(weights(last), weights(plain)) and "early_stop" not in plain


def test_defaults_stop_early_where_few_images_are_seen_often(monkeypatch):
    space = get_space("small")
    assert finetune_defaults(space, 997, initialised=False)["patience"] == 19
    assert "patience" not in finetune_defaults(space, 50_000, initialised=False)
    monkeypatch.setattr("hwnas.train.defaults.step_seconds", lambda *_: 0.01)
    assert "patience" not in finetune_defaults(space, 997, initialised=False, seconds=4)  # the time is the limit
