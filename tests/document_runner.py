"""Runs the code blocks of one page, in a folder of their own; tools/documents/blocks.py describes the markers."""

from __future__ import annotations

import io
import json
import os
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
import traceback
from collections.abc import Callable
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from hwnas.cli import main, output
from tools.documents.blocks import ROOT, Block, blocks

NUMBER = re.compile(r"(?<!\w)[-+±−]?\d[\d.,]*(?:e[-+]?\d+)?")
ID = re.compile(r"\b[0-9a-f]{10}\b")
# What a busy machine adds: warnings of it, and progress of what then takes long
BUSY = re.compile(r"^(warning: (other |the machine|\d+% of )|[\w ()-]+: \d+/\d+, \d+ s)")
SHELL = re.compile(r"[|;&<*$`]|>>")
WIDTH = "100"


def run_page(page: Path) -> int:
    """Run every block of it that is not skipped; gives their number. The current folder is the page's own."""
    names: dict = {"__name__": "page"}
    found = [block for block in blocks(page) if not block.skip and block.kind != "text"]
    with _own_modules():
        for block in found:
            try:
                RUNNERS[block.kind](block, names)
            except Exception as error:
                raise AssertionError(f"{block.place}: {error}\n{traceback.format_exc(limit=-4)}") from error
    return len(found)


@contextmanager
def _own_modules():
    """Modules of the page's folder are found, and forgotten afterwards."""
    here = str(Path.cwd())
    output.people.cache_clear()
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)
        output.people.cache_clear()
        for name, module in list(sys.modules.items()):
            if (getattr(module, "__file__", None) or "").startswith(here):
                del sys.modules[name]


def _file(block: Block, names: dict) -> None:
    path = Path(block.file)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(block.shortened())


def _data(block: Block, names: dict) -> None:
    """Shown without a name: at least it can be read."""
    try:
        tomllib.loads(block.body)
    except tomllib.TOMLDecodeError:
        json.loads(block.body)


def _python(block: Block, names: dict) -> None:
    out = io.StringIO()
    code = "\n" * block.line + block.shortened()
    with redirect_stdout(out), redirect_stderr(io.StringIO()):
        exec(compile(code, str(block.page), "exec"), names)
    if block.expected is not None and not block.smaller:
        compare(block.expected, out.getvalue(), block.vary)


def _sh(block: Block, names: dict) -> None:
    for command in commands(block.shortened()):
        _, code = call(command)
        assert code == 0, f"{command} ended with {code}"


def _console(block: Block, names: dict) -> None:
    for command, expected in sessions(block.shortened()):
        printed, code = call(command)
        wanted = 2 if re.search(r"^hwnas: ", expected, re.MULTILINE) else 0
        assert code == wanted, f"{command} ended with {code}, printed\n{printed}"
        if not block.smaller:
            compare(expected, printed, block.vary)


RUNNERS = {"file": _file, "data": _data, "python": _python, "setup": _python, "sh": _sh, "console": _console}


def commands(text: str) -> list[str]:
    """The lines of a shell's block, without comments, continued lines joined."""
    lines = text.replace("\\\n", " ").splitlines()
    return [line for line in (re.sub(r"(^|\s+)# .*", "", line).strip() for line in lines) if line]


def sessions(text: str) -> list[tuple[str, str]]:
    """(command, its output) of a console."""
    found = [part.partition("\n") for part in re.split(r"^\$ ", text.replace("\\\n", " "), flags=re.MULTILINE)]
    return [(command.strip(), output) for command, _, output in found if command.strip()]


def call(command: str) -> tuple[str, int]:
    """What a command prints, stdout and stderr in their order, and its exit code; `hwnas` runs in this process."""
    if re.fullmatch(r"python [\w/]+\.py", command):
        return _captured(lambda: runpy.run_path(command.split()[1], run_name="__main__"))
    if command.startswith("hwnas ") and not SHELL.search(re.sub(r"'[^']*'|\"[^\"]*\"", "", command)):
        return _in_process(command)
    script = f'hwnas() {{ "{sys.executable}" -m hwnas "$@"; }}; python() {{ "{sys.executable}" "$@"; }}; {command}'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, env=os.environ)
    return done.stdout + done.stderr, done.returncode


def _in_process(command: str) -> tuple[str, int]:
    words, into = shlex.split(command)[1:], None
    if ">" in words:
        words, into = words[: words.index(">")], words[-1]
    return _captured(lambda: main(words), into)


def _captured(program: Callable[[], object], into: str | None = None) -> tuple[str, int]:
    both, code = _Stream(), 0
    out = _Stream() if into else both
    try:
        with redirect_stdout(out), redirect_stderr(both):
            program()
    except SystemExit as end:
        code = end.code or 0
    if into:
        Path(into).write_bytes(out.bytes())
    return both.bytes().decode(), code


class _Stream(io.TextIOWrapper):
    """Text in memory with a `.buffer`, as sys.stdout has."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    def bytes(self) -> bytes:
        self.flush()
        return self.buffer.getvalue()


def compare(expected: str, printed: str, vary: bool = False) -> None:
    """Line by line; … stands for anything; spaces at ends of lines, and with `vary` numbers, do not count."""
    wanted, got = _plain(expected, vary), _plain(printed, vary)
    wanted = re.sub(r"^…\n", "…", wanted, flags=re.MULTILINE)  # a line of its own may be no line at all
    pattern = ".*".join(re.escape(part) for part in wanted.split("…"))
    assert re.fullmatch(pattern, got, re.DOTALL), f"expected\n{wanted}\ngot\n{got}"


def _plain(text: str, vary: bool) -> str:
    lines = [line.rstrip() for line in text.strip().splitlines()]
    plain = "\n".join(line for line in lines if line and not BUSY.match(line))
    if vary:
        plain = re.sub(r"[ ─━┏┳┓┡╇┩└┴┘┃│]+", " ", NUMBER.sub("#", ID.sub("#", plain)))
    return plain


__all__ = ["ROOT", "WIDTH", "run_page"]
