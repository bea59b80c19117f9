"""The public contract suites: every registered plug-in passes, and each fault of a broken one is found."""

import json
import random
import sys
import uuid

import numpy as np
import pytest

from hwnas.accuracy import SOURCES
from hwnas.search.own_objectives import OBJECTIVES, OwnObjective
from hwnas.space import get_space
from hwnas.surrogates import Surrogate
from hwnas.surrogates.base import Prediction
from hwnas.testing import check_accuracy, check_objective, check_surrogate
from profilers.errors import BadInput

SPACE = get_space("tiny")


class TestObjectives:
    @pytest.mark.parametrize("name", OBJECTIVES)
    @pytest.mark.parametrize("space", ["tiny", get_space("mbv3", (192,))], ids=["tiny", "mbv3"])
    def test_registered_ones(self, name, space):
        check_objective(name, space)

    def test_own_ones(self, tmp_path):
        name = f"costs_{uuid.uuid4().hex}"
        (tmp_path / f"{name}.py").write_text(
            "def energy(layer):\n    return -1e-6 * layer.madds\n"
            "def depth(network):\n    return len(network['layers'])\n"
        )
        check_objective(f"layers:{tmp_path}/{name}:energy")
        check_objective(f"network:{tmp_path}/{name}:depth")
        check_objective(OwnObjective("widest", layers=lambda x: float(x.out_channels), combine="largest"))
        with pytest.raises(BadInput, match="no power"):
            check_objective(f"layers:{tmp_path}/{name}:power")

    def test_broken_ones_are_found(self):
        noise = random.Random(0)
        for broken in (
            OwnObjective("noise", layers=lambda layer: noise.random()),
            OwnObjective("noise", network=lambda network: noise.random()),
        ):
            with pytest.raises(AssertionError, match="when asked again"):
                check_objective(broken)
        with pytest.raises(BadInput, match="raises ZeroDivisionError"):
            check_objective(OwnObjective("zero", layers=lambda layer: 1 / 0))


def sources(tmp_path_factory):
    """A source of each kind, as (spec, options)."""
    folder, archs = tmp_path_factory.mktemp("sources"), SPACE.decode(SPACE.sample(4, np.random.default_rng(0)))
    lines = ['{},"{}"'.format(70 + a.r, json.dumps(a.to_json()).replace('"', '""')) for a in archs]
    (folder / "t.csv").write_text("\n".join(["top1,arch", *lines]) + "\n")
    module = f"accuracy_{uuid.uuid4().hex}"
    (folder / f"{module}.py").write_text(
        "def top1(n):\n    return 60 + n['r']\ndef many(ns):\n    return map(top1, ns)\n"
    )
    return {"table": (f"table:{folder}/t.csv", {}), "python": (f"python:{folder}/{module}:many", {"batch": 3})}


class TestAccuracies:
    @pytest.mark.parametrize("kind", ["table", "python"])
    def test_registered_ones(self, tmp_path_factory, kind):
        spec, options = sources(tmp_path_factory)[kind]
        check_accuracy(spec, options=options)

    @pytest.mark.slow
    def test_the_registered_one_of_a_supernet(self, tmp_path):
        from hwnas.data import get_dataset
        from hwnas.nets.checkpoint import Provenance, save_supernet
        from hwnas.nets.supernet import Supernet

        data, space = get_dataset("digits"), get_space("tiny", (8, 10))
        save_supernet(tmp_path / "s.safetensors", Supernet(space), Provenance("digits", data.mean, data.std))
        check_accuracy(f"supernet:{tmp_path}/s.safetensors", space, {"views": 0, "calibration": 300})

    @pytest.mark.slow
    def test_the_registered_one_of_once_for_all(self, published):
        spec = f"ofa-predictor:{published}/ofa/acc_predictor.pth"
        check_accuracy(spec, get_space("mbv3", (160, 176, 192, 208, 224)))

    def test_no_kind_is_left_out(self):
        assert set(SOURCES._builtin) == {"table", "python", "supernet", "ofa-predictor"}

    def test_broken_ones_are_found(self):
        noise = random.Random(0)

        class Batch:
            batch = 2

            def evaluate_batch(self, archs):
                return [70.0 + len(archs)] * len(archs)

        def fails(network):
            raise RuntimeError("no data")

        for broken, message in [
            (lambda network: 60 + noise.random(), "when asked again"),
            (Batch(), "a batch gives other values"),
            (fails, "no network could be evaluated: RuntimeError: no data"),
            (lambda network: float("nan"), "an accuracy of nan"),
            (lambda network: 0.7, 'unit = "fraction"'),
        ]:
            with pytest.raises(AssertionError, match=message):
                check_accuracy(broken)


class Mean(Surrogate):
    """Linear regression by numpy, right in everything."""

    name = "linear"

    def _fit(self, X, y):
        self._mean = X.mean(axis=0)
        self._w = np.linalg.lstsq(X - self._mean, y, rcond=1e-6)[0]

    def _predict(self, X):
        return Prediction((X - self._mean) @ self._w, None)


class Noisy(Mean):
    def _predict(self, X):
        return Prediction(super()._predict(X).mean + 1e-3 * np.random.default_rng().random(len(X)), None)


class Sure(Mean):
    def _predict(self, X):
        return Prediction(super()._predict(X).mean, np.zeros(len(X)))


class Blind(Mean):
    def _predict(self, X):
        return Prediction(np.zeros(len(X)), None)


class Lax(Mean):
    def fit(self, X, y, noise=None):
        self._center, self._scale, self._columns = float(np.mean(y)), 1.0, np.shape(X)[-1]
        self._fit(np.asarray(X).reshape(-1, self._columns), np.resize(y - np.mean(y), len(X)))
        return self


class Silent(Mean):
    """Knows nothing of noise."""

    def fit(self, X, y):
        return super().fit(X, y)


class Torn(Mean):
    def _mean_alone(self, X):
        return super()._mean_alone(X) + 0.1


class TestSurrogates:
    """The registered ones are checked in `tests/hwnas/surrogates`."""

    @pytest.mark.parametrize("made", [Mean, Silent])
    def test_ones_own(self, made):
        check_surrogate(made)

    @pytest.mark.parametrize(
        ("broken", "message"),
        [
            (Noisy, "without a seed"),
            (Sure, "std is negative, or 0"),
            (Blind, "correlation of 0.00"),
            (Lax, "not refused"),
            (Torn, "mean alone is another"),
        ],
    )
    def test_broken_ones_are_found(self, broken, message):
        with pytest.raises(AssertionError, match=message):
            check_surrogate(broken)

    def test_a_search_with_ones_own(self, tmp_path):
        from hwnas.search.config_files import load
        from hwnas.search.driver import search
        from hwnas.search.run import create_run, open_run
        from tests.hwnas.searching import Formula

        name = f"linear_{uuid.uuid4().hex}"
        (tmp_path / f"{name}.py").write_text("from tests.hwnas.testing.test_checks import Mean\n")
        (tmp_path / "c.toml").write_text(
            'space = "tiny"\naccuracy = "given"\n[search]\ninitial = 12\niterations = 1\nper_iteration = 2\n'
            f'population = 12\ngenerations = 2\nsurrogate = "python:{name}:Mean"\n'
        )
        with create_run(tmp_path / "r", load(tmp_path / "c.toml")) as run:
            search(run, Formula())
            assert run.archive.proposal(1)[0].predicted is not None
        sys.modules.pop(name)
        (tmp_path / f"{name}.py").unlink()
        with open_run(tmp_path / "r") as run:
            assert run.archive.iterations()[1]["surrogate"].endswith(f"{name}:Mean") and name not in sys.modules
        with pytest.raises(BadInput, match="cannot be imported"):
            load(tmp_path / "c.toml")
