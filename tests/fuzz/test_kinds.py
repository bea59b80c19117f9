"""A short form of the campaign (`tools/campaign`): mutated inputs of each kind get one line or a right answer."""

from __future__ import annotations

import pytest

from tools.campaign.inside import tried
from tools.campaign.kinds import named, names

SEED = 20


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_no_input_does_harm(name, tmp_path):
    kind, found = named(name), []
    prepared = tmp_path / "prepared"
    prepared.mkdir()
    kind.prepare(prepared)
    for number in range(kind.short):
        here = tmp_path / f"{number}"
        here.mkdir()
        what, findings, _ = tried(kind, SEED, number, prepared, here)
        found += [f"{name} --seed {SEED} --only {number} ({what}): {each.verdict}: {each.text}" for each in findings]
    assert not found, "\n".join(found)
