"""What is made again from recorded blocks is what was measured: else an ablation would compare other things."""

from __future__ import annotations

import pytest

from hwnas.space import get_space
from profilers.files import read_json
from profilers.timing import loop
from tools.bench import ablation
from tools.bench.recording import record, replay


@pytest.mark.slow
def test_a_replay_gives_the_figures_that_were_measured_and_a_mechanism_left_out_others(tmp_path):
    record(tmp_path, "fake", get_space("tiny"), 4, seed=1, budget=1.0)
    figures, again = read_json(tmp_path / "figures.json"), replay(tmp_path, {})
    assert again["conditions"] == figures["conditions"]
    same = [name for name in again if name not in ("interval", "conditions") and not name.startswith("fresh_process")]
    assert {name: again[name] for name in same if "load" not in name} == pytest.approx(
        {name: figures[name] for name in same if "load" not in name}
    )
    mechanism = ablation.MECHANISMS["no drift division within a call"]
    assert mechanism.patches[0][0] is loop
    assert ablation.without(mechanism, tmp_path)["mape"] != again["mape"]
