"""Stages are kept, continued or made anew by what they depend on, and each decision is a line."""

from __future__ import annotations

import json

import pytest

from hwnas.recipe.order import between
from hwnas.recipe.runner import Runner
from hwnas.recipe.settings import RecipeSettings
from hwnas.recipe.stage import Stage
from hwnas.recipe.work import Work
from profilers.errors import BadInput


class Writing(Stage):
    """Writes its text and those of the stages it needs."""

    def __init__(self, name: str, *needs: str, text: str = "a", follows: tuple[str, ...] = ()) -> None:
        self.name, self.needs, self.text, self.follows, self.runs, self.dies = name, needs, text, follows, 0, False

    def settings(self, work):
        return {"text": self.text, "deep": {"same": (1, 2)}}

    def products(self, work):
        return [work.out / f"{self.name}.txt"]

    def run(self, work, seconds):
        if self.dies:
            raise KeyboardInterrupt
        self.runs += 1
        read = [(work.out / f"{need}.txt").read_text() for need in self.needs]
        work.out.mkdir(exist_ok=True)
        (work.out / f"{self.name}.txt").write_text("".join([self.text, *read]))
        return f"wrote {self.text}"


@pytest.fixture
def go(tmp_path):
    """Run stages in a recipe's folder; gives the lines."""

    def run(stages, *, first=0, **options):
        lines: list[str] = []
        work = Work(RecipeSettings("digits", "tiny"), tmp_path, lines.append)
        Runner(work, stages, {stage.name: 60.0 for stage in stages}).run(stages[first:], **options)
        return lines

    return run


def three():
    return [Writing("a"), Writing("b", "a"), Writing("c", "b")]


def test_a_second_time_everything_is_kept(go):
    stages = three()
    assert "[1/3] a: about 60 s (estimated)" in go(stages)
    lines = go(stages)
    assert [stage.runs for stage in stages] == [1, 1, 1]
    assert lines == [f"[{i}/3] {name}: kept (0 s): wrote a" for i, name in enumerate("abc", 1)]


def test_a_changed_key_redoes_what_depends_on_it_and_says_so(go, tmp_path):
    stages = three()
    go(stages)
    stages[1].text = "new"
    lines = go(stages)
    assert [stage.runs for stage in stages] == [1, 2, 2]
    place = tmp_path / "out/replaced/b"
    assert f"[2/3] b: anew, since text has changed; what was there is in {place}" in lines
    assert any(line.startswith("[3/3] c: anew, since what b made has changed") for line in lines)
    assert (place / "b.txt").read_text() == "aa" and (tmp_path / "out/c.txt").read_text() == "anewa"


def test_a_product_of_the_same_content_changes_nothing_behind_it(go):
    stages = three()
    go(stages)
    go([stages[0]], fresh=True)
    assert go(stages)[1].startswith("[2/3] b: kept")
    assert [stage.runs for stage in stages] == [2, 1, 1]


def test_interrupted_it_goes_on_at_that_stage(go):
    stages = three()
    stages[1].dies = True
    with pytest.raises(KeyboardInterrupt):
        go(stages)
    stages[1].dies = False
    lines = go(stages)
    assert lines[0].startswith("[1/3] a: kept") and [stage.runs for stage in stages] == [1, 1, 1]


def test_a_removed_product_is_made_again(go, tmp_path):
    stages = three()
    go(stages)
    (tmp_path / "out/a.txt").unlink()
    go(stages)
    assert [stage.runs for stage in stages] == [2, 1, 1]


def test_files_that_no_recipe_has_made_are_put_aside(go, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.txt").write_text("mine")
    assert "this recipe has not made it" in go(three())[0]
    assert (tmp_path / "out/replaced/a/a.txt").read_text() == "mine"


def test_from_a_stage_uses_what_is_there_and_says_what_no_longer_fits(go):
    stages = three()
    with pytest.raises(BadInput, match="--from c, but a is not done; try: --from a"):
        go(stages, first=2)
    go(stages)
    stages[0].text = "other"
    assert go(stages, first=2)[0] == "[1/3] a: used as it is, although text has changed"
    assert stages[0].runs == 1


def test_a_stage_may_go_on_after_a_change_of_what_it_follows(go):
    stages = [Writing("a"), Writing("b", "a", follows=("a",))]
    go(stages)
    stages[0].text = "new"
    lines = go(stages)
    assert stages[1].runs == 2 and not any("b: anew" in line for line in lines)


def test_a_damaged_journal_is_one_line(go, tmp_path):
    go(three())
    journal = tmp_path / "out/recipe.json"
    journal.write_text(json.dumps({"version": 1, "stages": {"a": {"settings": {}}}}))
    with pytest.raises(BadInput, match=r"recipe.json: stages.a lacks sources; .*made anew"):
        go(three())


def test_stages_by_name():
    assert [stage.name for stage in between("export", "validate")] == ["export", "validate"]
    with pytest.raises(BadInput, match=r"a stage 'exprot'; allowed: table, .*; try: export"):
        between("exprot", None)
    with pytest.raises(BadInput, match="from export until search; allowed: export comes after search"):
        between("export", "search")
