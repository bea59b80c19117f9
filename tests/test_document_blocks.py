"""Every code block of README and docs is run, or says on its page why it is not; printed output is compared."""

from __future__ import annotations

import pytest

from tests.document_runner import ROOT, WIDTH, commands, compare, run_page, sessions
from tools.documents.blocks import blocks, listed, pages

CODE = [page for page in pages() if any(b.kind != "text" and not b.skip for b in blocks(page))]


@pytest.mark.slow
@pytest.mark.parametrize("page", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_does_what_it_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", WIDTH)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert run_page(page)


def test_no_block_has_a_language_that_nobody_runs():
    kinds = {b.kind for page in pages() for b in blocks(page)}
    assert kinds <= {"console", "sh", "python", "file", "data", "setup", "text"}
    hidden = [b.place for page in pages() for b in blocks(page) if b.kind == "text" and b.body.startswith("$ ")]
    assert hidden == [], "commands with their output are ```console blocks"


def test_each_block_is_listed_with_what_is_done_with_it():
    lines = list(listed())
    assert len(lines) > 10 and all("skipped: " in line or " run" in line for line in lines)


@pytest.mark.parametrize("script", sorted(ROOT.glob("docs/examples/*/*.py")), ids=lambda path: path.name)
def test_an_example_is_what_its_page_shows(script):
    assert f'title="{script.name}"\n{script.read_text()}```' in (script.parent / "README.md").read_text()


def test_output_is_compared():
    compare("mape …\n\nτ 0.9", "mape 0.01157 x\nτ 0.9\n")
    compare("12 ms  of  3", "9.5 ms of 3.25", vary=True)
    for wrong in ("mape", "τ 0.8"):
        with pytest.raises(AssertionError, match="expected"):
            compare("mape …\nτ 0.9", wrong)
    with pytest.raises(AssertionError, match="expected"):
        compare("12 ms", "12 s", vary=True)


def test_commands_and_their_output_are_told_apart():
    assert commands("a b  # why\n# all\nc \\\n  d\n") == ["a b", "c    d"]
    assert sessions("$ a\nx\ny\n$ b\n") == [("a", "x\ny\n"), ("b", "")]
