"""What is said where an output is there already."""

from __future__ import annotations

from pathlib import Path

from profilers.outputs import changes, different, in_the_way


def test_what_changed_is_named_with_both_values():
    before = {"seed": 1, "recipe": {"batch": 64, "lr": 0.1}, "phases": [1, 2], "gone": "a"}
    now = {"seed": 2, "recipe": {"batch": 32, "lr": 0.1}, "phases": [1], "gone": "a"}
    assert changes(before, now) == ["phases differs", "recipe.batch was 64, is 32", "seed was 1, is 2"]
    assert changes(before, before) == []


def test_refusals_name_what_works_in_the_same_command():
    said = str(different(Path("t.json"), ["batch: 2 here, 1 there"]))
    assert said == (
        "t.json is of another configuration: batch: 2 here, 1 there; allowed: the same; "
        "try: another --out, or --fresh to begin anew in its place"
    )
    assert "or --fresh to begin anew" in str(in_the_way(Path("t.json"), "a table"))
