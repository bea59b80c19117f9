"""The code blocks of README and docs, and which of them the tests run: python -m tools.documents.blocks lists them.

| a block that begins with | is |
|---|---|
| ```` ```console ```` | commands behind "$ ", each with what it prints (stdout and stderr); … stands for anything |
| ```` ```sh ```` | commands |
| ```` ```python ```` | run in one module per page; a ```` ```text ```` block right behind it is what it prints |
| ```` ```python title="mine.py" ```` (toml, json, …) | a file, written into the page's folder |
| ```` ```text ````, or nothing | no code: a picture, a line of output |

Comments before a block say what else is to be known. They begin a line and hold for the next block; `smaller` holds for
the rest of its page.

| comment | means |
|---|---|
| `<!-- skip: REASON -->` | not run |
| `<!-- numbers vary -->` | numbers in the output are not compared, for they are measured |
| `<!-- smaller: A => B; C => D -->` | run with B in place of A, to be quick; its output is not compared |
| `<!-- setup: PYTHON -->` | run before, not shown |
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")  # no blocks but those of shells for developers
RUN = ("console", "sh", "python")
PART = re.compile(
    r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```[ ]*$"
    r"|^<!--\s*(?P<word>skip|numbers vary|smaller|setup):?\s*(?P<rest>.*?)-->",
    re.MULTILINE | re.DOTALL,
)
TITLE = re.compile(r'title="([^"]+)"')


@dataclass(frozen=True)
class Block:
    """One block: what it is (console, sh, python, file, setup, text), where, and how it is run."""

    page: Path
    line: int
    kind: str
    body: str
    file: str = ""
    skip: str = ""
    vary: bool = False
    smaller: dict[str, str] = field(default_factory=dict)
    expected: str | None = None  # of python: the block of text right behind it

    @property
    def place(self) -> str:
        """As editors read it: page:line."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    def shortened(self) -> str:
        """The body as it is run."""
        body = self.body
        for long, short in self.smaller.items():
            body = body.replace(long, short)
        return body


def pages() -> list[Path]:
    """README and all of docs/, whose blocks are run."""
    return [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]


def blocks(page: Path) -> list[Block]:
    """A page's blocks, in order."""
    text = page.read_text()
    found: list[Block] = []
    end, marks, smaller = 0, {}, {}
    for part in PART.finditer(text):
        line = text.count("\n", 0, part.start()) + 1
        word, rest = part["word"], (part["rest"] or "").strip()
        if word == "smaller":
            smaller = smaller | _pairs(rest)
        elif word == "setup":
            found.append(Block(page, line, "setup", rest))
        elif word:
            marks[word] = rest or word
        else:
            block = _block(page, line, part["info"].strip(), part["body"], marks, smaller)
            if block.kind == "text" and found and found[-1].kind == "python" and not text[end : part.start()].strip():
                found[-1] = Block(**{**vars(found[-1]), "expected": block.body, "vary": block.vary})
            else:
                found.append(block)
            marks = {}
        end = part.end() if not word else end
    return found


def _block(page: Path, line: int, info: str, body: str, marks: dict[str, str], smaller: dict[str, str]) -> Block:
    kind = info.split(" ")[0] or "text"
    title = TITLE.search(info)
    kind = "file" if title else kind if kind in RUN else "data" if kind in ("toml", "json") else "text"
    used = {long: short for long, short in smaller.items() if long in body}
    file, vary = title[1] if title else "", "numbers vary" in marks
    return Block(page, line, kind, body, file, marks.get("skip", ""), vary, used)


def _pairs(text: str) -> dict[str, str]:
    return {long.strip(): short.strip() for long, _, short in (pair.partition("=>") for pair in text.split(";"))}


def listed() -> Iterator[str]:
    """A line for each block that is code."""
    for page in pages():
        for block in blocks(page):
            if block.kind != "text":
                how = f"skipped: {block.skip}" if block.skip else "run, smaller" if block.smaller else "run"
                compared = block.kind == "console" or block.expected is not None
                compared = compared and not block.skip and not block.smaller
                yield f"{block.place:44} {block.kind:8} {how}{', its output compared' if compared else ''}"


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in listed())
