"""Names of files and folders: which are rubbish, how they are compared, and how many of them a message shows."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection
from itertools import islice

from profilers.errors import BadInput

SHOWN = 5
MOST_STARS = 3  # more of them may take a regular expression ages
# What file managers, network storage, editors and archives leave behind, in lower case; hidden names are of them too
_RUBBISH = {"thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r", "@eadir", "@recycle", "#recycle"}
_RUBBISH |= {"#snapshot", "$recycle.bin", "system volume information", "lost+found", "__macosx", "__pycache__"}


def is_rubbish(name: str) -> bool:
    """Whether a file or folder of that name is passed over, whatever it holds."""
    return name.startswith(".") or name.lower() in _RUBBISH


def one_form(name: str) -> str:
    """The form (NFC) in which names are compared: a Mac may write é as two characters."""
    return unicodedata.normalize("NFC", name)


def shortened(names: Collection[str], most: int = SHOWN) -> str:
    """The first few, and how many there are.

    >>> shortened(["ant", "bee"])
    'ant, bee'
    >>> shortened([str(i) for i in range(1000)], 3)
    '0, 1, 2, … (1,000 in all)'
    """
    text = ", ".join(islice(names, most))
    return text if len(names) <= most else f"{text}, … ({len(names):,} in all)"


def plural(count: int, noun: str, nouns: str = "") -> str:
    """A number with its noun.

    >>> plural(1, "image"), plural(2000, "image"), plural(2, "class", "classes")
    ('1 image', '2,000 images', '2 classes')
    """
    return f"{count:,} {noun if count == 1 else nouns or f'{noun}s'}"


def group_finder(pattern: str) -> Callable[[str], str | None]:
    """A function that finds the group in a file's name by a pattern; None where the name does not fit.

    Args:
        pattern: {group} is the group and * anything. It is matched with the name below the data set's folder if it
            has a /, else with the file's own name.

    Raises:
        BadInput: not exactly one {group}.

    >>> group_finder("patient{group}_*")("train/ill/patient12_3.png")
    '12'
    """
    before, mark, after = pattern.partition("{group}")
    if not mark or "{group}" in after or pattern.count("*") > MOST_STARS:
        allowed = f"a pattern with one {{group}} and at most {MOST_STARS} * in it, such as group=patient{{group}}_*"
        raise BadInput(f"group={pattern}", allowed)
    whole = re.compile(f"{_expression(before)}([^/]+?){_expression(after)}")

    def find(name: str) -> str | None:
        name = one_form(name)
        found = whole.fullmatch(name if "/" in pattern else name.rpartition("/")[2])
        return found and found[1]

    return find


def _expression(part: str) -> str:
    return "[^/]*?".join(map(re.escape, re.split(r"\*+", one_form(part))))
