"""`reference.npz`: what is written comes back, and what does not fit together is one line."""

import numpy as np
import pytest

from hwnas.export.answers import FILE, StoredAnswers, read_answers, write_answers
from profilers.errors import BadInput


class TestAnswers:
    def write(self, folder, feeds, answers, **more):
        write_answers(folder, StoredAnswers(feeds, answers, **more))
        return read_answers(folder, ["x"], ["y"])

    def test_come_back(self, tmp_path):
        one, y = {"x": np.ones(3)}, {"y": np.zeros(2)}
        assert len(self.write(tmp_path, [one, one], [y, y]).answers) == 2
        assert self.write(tmp_path, [], [y]).feeds == []

    def test_each_is_of_a_run(self, tmp_path):
        y = {"y": np.zeros(2)}
        with pytest.raises(BadInput, match="2 answers for 1 runs"):
            self.write(tmp_path, [], [y, y])
        with pytest.raises(BadInput, match="1 answers for 2 runs"):
            self.write(tmp_path, [{"x": np.ones(1)}] * 2, [y])
        with pytest.raises(BadInput, match="0 answers"):
            self.write(tmp_path, [], [])

    def test_classes_are_a_row_of_whole_numbers(self, tmp_path):
        np.savez(tmp_path / FILE, answer_0_0=np.zeros(2), split_top1=np.zeros((2, 2)))
        with pytest.raises(BadInput, match="classes of shape"):
            read_answers(tmp_path, ["x"], ["y"])
