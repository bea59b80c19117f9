"""A search on a part of the validation images: what it learns from, and what it offers in the end."""

import shutil
import sqlite3

import numpy as np
import pytest

import hwnas
from hwnas.accuracy.supernet import SupernetAccuracy
from hwnas.accuracy.wilson import binomial_variance
from hwnas.data import get_dataset
from hwnas.nets.checkpoint import Provenance, save_supernet
from hwnas.nets.supernet import Supernet
from hwnas.search import archive as archives
from hwnas.search import executors, finals
from hwnas.search.evaluation import history
from hwnas.search.run import ARCHIVE, open_run
from hwnas.space import get_space
from hwnas.surrogates.gp import GP
from profilers.errors import BadInput

PART, ALL = 60, 400
QUICK = {"views": 0, "calibration": 32}


@pytest.fixture(scope="module")
def supernet(tmp_path_factory):
    """Never trained: its networks differ all the same."""
    path, data = tmp_path_factory.mktemp("supernet") / "supernet.safetensors", get_dataset("digits")
    save_supernet(path, Supernet(get_space("tiny", (8, 10))), Provenance("digits", data.mean, data.std))
    return path


def search(supernet, out, **evaluate):
    return hwnas.search(
        "tiny", f"supernet:{supernet}", resolutions=(8, 10), objectives=["top1", "params"], initial=5, iterations=1,
        per_iteration=2, evaluate=QUICK | {"images": PART} | evaluate, surrogate="gp", out=out,
        settings={"search": {"population": 16, "generations": 2}},
    )  # fmt: skip


@pytest.fixture(scope="module")
def run(supernet, tmp_path_factory):
    return search(supernet, tmp_path_factory.mktemp("runs") / "run")


def test_the_front_is_judged_on_all_images_and_alone_is_offered(run, supernet):
    rows = run.evaluations
    whole = [row for row in rows if row.status == "ok"]
    assert len(rows) == 7 and 0 < len(whole) < 7
    assert {(row.images, row.searched.images) for row in whole} == {(ALL, PART)}
    assert {(row.status, row.images) for row in rows if row not in whole} == {("subset", PART)}
    source = SupernetAccuracy(supernet, run.space, **QUICK)
    assert [row.objectives["top1"] for row in whole] == [source.evaluate(row.arch) for row in whole]
    ids = {row.arch.id for row in whole}
    assert {network.id for network in run.networks} == ids >= {network.id for network in run.front()}
    chosen = run.select("params<=1M", n=9)
    assert {choice["id"] for choice in chosen.rows} <= ids and {choice["images"] for choice in chosen.rows} == {ALL}


def test_it_says_what_was_judged_on_how_many_images(run, tmp_path):
    judged = sum(row.searched is not None for row in run.evaluations)
    line = f"the search judged 7 networks on {PART} images, then the {judged} of its front on all {ALL}"
    assert line in run.remarks[0] and line in run.report(tmp_path / "report.html").read_text()
    by_id = {row["id"]: row for row in run.rows()}
    assert {row["searched_images"] for row in by_id.values()} == {PART}
    header, *lines = run.archive("csv").decode().splitlines()
    assert header.endswith(",images,top1_low,top1_high,searched_top1,searched_images") and len(lines) == 7


def test_the_surrogate_is_told_the_noise_and_nothing_of_the_other_images(run, tmp_path, monkeypatch):
    rows, told = run.evaluations, []
    shutil.copytree(run.folder, tmp_path / "more")
    known = history(rows, run.space.n_genes)
    seen = [row.searched.top1 if row.searched else row.objectives["top1"] for row in rows]
    assert known.top1.tolist() == seen
    np.testing.assert_allclose(known.noise, [binomial_variance(top1, PART) for top1 in seen])
    fit = GP.fit
    monkeypatch.setattr(GP, "fit", lambda self, X, y, noise=None: (told.append(noise), fit(self, X, y, noise))[1])
    more = hwnas.search(
        "tiny", run.config.accuracy, resolutions=(8, 10), objectives=["top1", "params"], initial=5, iterations=2,
        per_iteration=2, evaluate=run.config.evaluate, surrogate="gp", out=tmp_path / "more",
        settings={"search": {"population": 16, "generations": 2}},
    )  # fmt: skip
    assert np.array_equal(told[0], known.noise) and len(more.evaluations) == 9
    assert [row.searched_top1 for row in more.evaluations][:7] == seen


def test_a_search_that_was_killed_while_it_judged_goes_on(run, supernet, tmp_path, monkeypatch):
    shutil.copytree(run.folder, tmp_path / "killed")
    with sqlite3.connect(tmp_path / "killed" / ARCHIVE) as archive:
        archive.execute("DELETE FROM finals WHERE number > (SELECT MIN(number) FROM finals)")
    archive.close()
    with open_run(tmp_path / "killed") as opened:
        left = [row.number for row in finals.missing(opened)]
    whole = [row.number for row in run.evaluations if row.searched]
    assert left == whole[1:]
    iterations = run.config.search.iterations
    asked = []
    judge = executors.Serial.evaluate
    monkeypatch.setattr(executors.Serial, "evaluate", lambda self, archs: (asked.extend(archs), judge(self, archs))[1])
    settings = {"search": {"population": 16, "generations": 2}}
    again = hwnas.search(
        "tiny", f"supernet:{supernet}", resolutions=(8, 10), objectives=["top1", "params"], initial=5,
        iterations=iterations, per_iteration=2, evaluate=run.config.evaluate, surrogate="gp", settings=settings,
        out=tmp_path / "killed",
    )  # fmt: skip
    assert len(asked) == len(left)
    assert [(row.status, row.objectives) for row in again.evaluations] == [
        (row.status, row.objectives) for row in run.evaluations
    ]


def test_nothing_is_offered_before_it_was_judged_on_all(run, tmp_path):
    shutil.copytree(run.folder, tmp_path / "run")
    with sqlite3.connect(tmp_path / "run" / ARCHIVE) as archive:
        archive.execute("DELETE FROM finals")
    archive.close()
    opened = hwnas.Run(tmp_path / "run")
    assert len(opened.front()) == 0 and opened.report(tmp_path / "report.html").is_file()
    with pytest.raises(BadInput, match="no network of this run has been judged on all images yet"):
        opened.select()


def test_one_that_was_judged_on_a_part_is_not_exported(run, tmp_path):
    key = next(row.arch.id for row in run.evaluations if row.status == "subset")
    with pytest.raises(BadInput, match=f"{key} was judged on {PART} images only"):
        run.export("onnx", out=tmp_path / "engines", ids=[key])


@pytest.mark.parametrize(
    ("evaluate", "said"),
    [
        ({"images": 400}, "images = 400 of 400 in split val of digits; allowed: 1 to 399; without it all are judged"),
        ({"images": 0}, "images = 0 of 400 in split val of digits"),
        ({"images": "many"}, "images = 'many' of 400 in split val of digits"),
        ({"images": True}, "images = True of 400 in split val of digits"),
        ({"finetune_epochs": 1}, f"evaluate.images = {PART} with finetune_epochs = 1; allowed: one of them"),
    ],
)
def test_what_is_no_part_is_refused(supernet, tmp_path, evaluate, said):
    with pytest.raises(BadInput) as refused:
        search(supernet, tmp_path / "run", **evaluate)
    assert said in str(refused.value) and not (tmp_path / "run").exists()


def test_the_part_is_the_same_for_all_and_has_the_classes_proportions(supernet):
    source = SupernetAccuracy(supernet, get_space("tiny", (8, 10)), images=100, **QUICK)
    (first, labels), again = next(iter(source._validation(8))), next(iter(source._validation(8)))[0]
    assert len(labels) == 100 and bool((first == again).all())
    share = np.bincount(get_dataset("digits").labels("val").numpy()) / ALL
    assert np.abs(np.bincount(labels.numpy(), minlength=10) / 100 - share).max() <= 0.02


def test_a_final_value_of_a_network_that_had_none_before_is_refused(run, tmp_path):
    shutil.copytree(run.folder, tmp_path / "run")
    with archives.open_archive(tmp_path / "run" / ARCHIVE, write=True) as archive:
        archive.add_final(99, executors.Outcome(0, 50.0, None, 1.0, ALL))
        with pytest.raises(BadInput, match="the final evaluation 99 is of no network judged on a part"):
            archive.evaluations()
