"""Sources of accuracy: what they read, and the one line in which they refuse."""

import json

import pytest

from hwnas.accuracy import check, open_accuracy, resolve
from hwnas.space import get_space
from profilers.errors import BadInput, FileProblem
from tests.hwnas.searching import SPACE, genes

OFA = get_space("mbv3", (160, 176, 192, 208, 224))


@pytest.mark.parametrize("spec", ["", "table", "tabel:x.csv", "supernet:", "http://x"])
def test_unknown_kinds(spec):
    with pytest.raises(BadInput, match="supernet:"):
        check(spec)


def test_unknown_option(tmp_path):
    with pytest.raises(BadInput, match="epochs"):
        open_accuracy(f"table:{tmp_path}/x.csv", SPACE, {"epochs": 3})


class TestTable:
    def write(self, tmp_path, text):
        (tmp_path / "t.csv").write_text(text)
        return open_accuracy(resolve("table:t.csv", tmp_path), SPACE)

    def test_by_architecture_and_by_id(self, tmp_path):
        a, b = SPACE.decode(genes(2))
        quoted = json.dumps(a.to_json()).replace('"', '""')
        source = self.write(tmp_path, f'top1,arch\n91.5,"{quoted}"\n')
        assert source.evaluate(a) == 91.5
        with pytest.raises(BadInput, match=b.id):
            source.evaluate(b)
        assert self.write(tmp_path, f"id,top1\n{b.id},3\n").evaluate(b) == 3.0

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "a,b\n1,2\n",
            "top1,id\n",
            "top1,id\nx,1\n",
            "top1,id\n101,1\n",
            "top1,id\nnan,1\n",
            "top1,arch\n5,{\n",
            'top1,arch\n5,"{}"\n',
            "top1,arch\n5\n",
        ],
    )
    def test_malformed(self, tmp_path, text):
        with pytest.raises(BadInput):
            self.write(tmp_path, text)

    def test_missing(self, tmp_path):
        with pytest.raises(FileProblem):
            open_accuracy(f"table:{tmp_path}/none.csv", SPACE)


class TestFunction:
    def test_gets_the_architecture_as_a_dict(self, tmp_path):
        (tmp_path / "mine_a.py").write_text("def top1(arch):\n    return 50 + sum(arch['d'])\n")
        arch = SPACE.extremes()[1]
        assert open_accuracy(resolve("python:mine_a:top1", tmp_path), SPACE).evaluate(arch) == 50 + sum(arch.d)

    @pytest.mark.parametrize(
        "spec", ["python:mine_b", "python:mine_b:none", "python:none:top1", "python:mine_b:NUMBER"]
    )
    def test_what_is_not_a_function(self, tmp_path, spec):
        (tmp_path / "mine_b.py").write_text("NUMBER = 3\n")
        with pytest.raises(BadInput):
            open_accuracy(resolve(spec, tmp_path), SPACE)

    def test_a_module_that_raises(self, tmp_path):
        (tmp_path / "mine_c.py").write_text("raise OSError('no disk')\n")
        with pytest.raises(BadInput, match="no disk"):
            open_accuracy(resolve("python:mine_c:f", tmp_path), SPACE)


class TestOfaPredictor:
    @pytest.mark.slow
    def test_accuracy_of_the_published_extremes(self, published):
        """shared/baselines/seed_search.json: the largest network is the ideal, 100 - 16.407."""
        source = open_accuracy(f"ofa-predictor:{published}/ofa/acc_predictor.pth", OFA)
        small, large = OFA.extremes()
        assert source.evaluate(large) == pytest.approx(100 - 16.40722155570984, abs=1e-5)
        assert 74 < source.evaluate(small) < 76

    def test_agrees_with_torch(self, published):
        import torch
        from torch import nn

        path = published / "ofa/acc_predictor.pth"
        source = open_accuracy(f"ofa-predictor:{path}", OFA)
        sizes = [(128, 400), (400, 400), (400, 400), (400, 1)]
        net = nn.Sequential(*[m for a, b in sizes for m in (nn.Linear(a, b), nn.ReLU())][:-1])
        net.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
        g = genes(20, space=OFA)
        with torch.no_grad():
            expected = 100 * net(torch.tensor(source._features(g), dtype=torch.float32))[:, 0]
        assert source.evaluate_genes(g) == pytest.approx(expected.numpy(), abs=1e-3)

    @pytest.mark.parametrize(
        "space", [get_space("mbv3"), SPACE, get_space("mbv3-w1.2", (224,)), get_space("mbv3", (128, 160))]
    )
    def test_spaces_it_does_not_know(self, space, tmp_path):
        with pytest.raises(BadInput, match="predictor"):
            open_accuracy(f"ofa-predictor:{tmp_path}/x.pth", space)

    def test_files_that_are_not_the_predictor(self, tmp_path):
        import torch

        path = tmp_path / "x.pth"
        with pytest.raises(FileProblem):
            open_accuracy(f"ofa-predictor:{path}", OFA)
        for content in (
            {"0.weight": torch.zeros(2)},
            {f"{i}.{k}": torch.zeros(3) for i in (0, 2, 4, 6) for k in ("weight", "bias")},
        ):
            torch.save(content, path)
            with pytest.raises(BadInput, match=r"x\.pth"):
                open_accuracy(f"ofa-predictor:{path}", OFA)
        path.write_bytes(b"not a checkpoint")
        with pytest.raises(BadInput, match=r"x\.pth"):
            open_accuracy(f"ofa-predictor:{path}", OFA)
