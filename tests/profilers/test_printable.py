"""Whatever a name or an error holds, what is printed of it is one harmless line."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table

from profilers.errors import BadInput, HwnasError
from profilers.printable import LINE, escaped, fitted, printable, printable_lines
from profilers.progress import say, track
from profilers.terminal import Terminal

HOSTILE = "a\x1b[2J\x1b]0;t\x07b\r\x00\x9b31m\u202e\u2028\udcff"
SHOWN = r"a\x1b[2J\x1b]0;t\x07b\r\x00\x9b31m\u202e\u2028\udcff"


def test_commands_to_a_terminal_are_shown_as_they_are_written() -> None:
    assert printable(HOSTILE) == SHOWN and escaped(HOSTILE) == SHOWN
    assert printable_lines(f"one\n{HOSTILE}") == f"one\n{SHOWN}"


@pytest.mark.parametrize("text", ["", "häuser 猫 🏠", "\U0001f468\u200d\U0001f469", "a\xa0b", "e\u0301", "नमस्ते"])
def test_letters_of_every_script_stay(text: str) -> None:
    assert printable(text) == escaped(text) == text


@given(st.text(st.characters(exclude_categories=()), max_size=700), st.integers(9, 400))
def test_every_text_becomes_a_short_line_that_can_be_written(text: str, most: int) -> None:
    line = printable(text, most)
    line.encode()  # without lone surrogates
    assert len(line) <= most and not set(line) & {*map(chr, range(32)), *map(chr, range(127, 160))}
    assert printable(line, most) == line


def test_of_a_long_text_both_ends_are_shown() -> None:
    line = printable(f"begin{'x' * 10**6}end")
    assert len(line) <= LINE and line.startswith("begin") and line.endswith("end") and " … " in line


def test_an_object_without_a_text_is_its_type() -> None:
    class Odd:
        def __str__(self) -> str:
            raise RuntimeError

    assert printable(Odd()) == "a Odd"


def test_short_parts_stay_whole_beside_long_ones() -> None:
    parts = fitted(["got " * 200, "allowed", "remedy"], 280)
    assert parts[1:] == ["allowed", "remedy"] and sum(map(len, parts)) == 280


def test_an_error_is_one_line_whatever_it_names() -> None:
    line = str(BadInput(f"a file {HOSTILE * 20}", "x" * 200, HOSTILE))
    assert line.isprintable() and len(line) <= 600 and "; allowed: " in line and line.endswith(r"\udcff")
    assert HwnasError(HOSTILE).got == HOSTILE


def test_tables_for_people_take_names_as_they_are() -> None:
    table, out = Table(title="[/b]:smile:"), io.StringIO()
    table.add_column("[red]")
    table.add_row(HOSTILE)
    Terminal(out, width=100).print(table)
    assert SHOWN in out.getvalue() and "[red]" in out.getvalue() and "[/b]:smile:" in out.getvalue()


def test_progress_names_nothing_that_commands(capsys: pytest.CaptureFixture[str]) -> None:
    say(HOSTILE)
    with track(2, HOSTILE, seconds=0) as bar:
        bar.note(HOSTILE)
        bar.advance()
    err = capsys.readouterr().err
    assert err.count(SHOWN) == 3 and "\x1b" not in err


def test_of_long_paths_the_ends_stay_and_the_sentence_is_whole() -> None:
    path = f"/home/{'folder/' * 30}data/train/bee"
    line = str(BadInput(f"{path} is a link to {path}", f"links to files in {path}"))
    assert line.count("data/train/bee") == 3 and " is a link to " in line and len(line) <= 600
