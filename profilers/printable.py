r"""What comes from files, names, environments and errors, as a terminal or a log may show it.

A control character or an escape sequence in a name would command the terminal, a mark of direction would reorder the
line, a lone surrogate (an undecodable byte of a file's name) cannot be written at all. All of them are shown as Python
writes them in a literal: `\x1b`, `\u202e`, `\udcff`. Every other character stays, whatever its script.
"""

from __future__ import annotations

import re
import unicodedata

LINE = 299  # characters of a line
_SHORTEST = 9
_WORDS = (100, 60, 40, 25)  # characters that a word, which may be a path, is shortened to where the line is too long
_GAP = " … "
_JOINERS = "\u200c\u200d"  # Persian and Indic words, and emoji of several, need them
_HARMLESS = ("Zs", "Co", "Cn")  # spaces; private and newer characters: at worst a box


def printable(text: object, most: int = LINE) -> str:
    r"""One line without control characters, terminal escapes and lone surrogates; of a long one both ends.

    Args:
        text: anything; an object by its `str`, or by its type where that fails.
        most: characters of the result.

    >>> printable("red \x1b[31m name\n")
    'red \\x1b[31m name\\n'
    >>> printable("x" * 1000, 12)
    'xxxxx … xxxx'
    """
    whole = _text(text)
    shown = _escaped(whole if len(whole) <= 8 * LINE else whole[: 2 * LINE] + _GAP + whole[-2 * LINE :])
    return _cut(_shortened([shown], most)[0], most)


def _shortened(parts: list[str], most: int) -> list[str]:
    """Paths are shortened before sentences are."""
    for size in _WORDS:
        if sum(map(len, parts)) <= most:
            break
        parts = [" ".join(_cut(word, size) for word in part.split(" ")) for part in parts]
    return parts


def _cut(shown: str, most: int) -> str:
    if len(shown) <= most:
        return shown
    kept = max(most, _SHORTEST) - len(_GAP)
    return f"{shown[: kept - kept // 2]}{_GAP}{shown[len(shown) - kept // 2 :]}"


def printable_lines(text: object, most: int = LINE) -> str:
    r"""`printable` of each line.

    >>> printable_lines("a\nb\x07")
    'a\nb\\x07'
    """
    return "\n".join(printable(line, most) for line in _text(text).split("\n"))


def escaped(text: str) -> str:
    r"""The whole text, with its lines and tabs, as it may stand in a page or a file.

    >>> escaped("a\nb\x07")
    'a\nb\\x07'
    """
    return text if text.isprintable() else re.sub(r"[^ -~\n\t]", lambda found: _shown(found[0]), text)


def fitted(parts: list[str], most: int) -> list[str]:
    """Parts of one line, each by `printable`: short ones stay whole, long ones share what is left of `most`.

    >>> fitted(["short", "x" * 100, "y" * 100], 31)
    ['short', 'xxxxx … xxxxx', 'yyyyy … yyyyy']
    """
    left, room = most, {}
    whole = _shortened([printable(part, 8 * LINE) for part in parts], most)
    for done, (size, index) in enumerate(sorted((len(part), i) for i, part in enumerate(whole))):
        room[index] = min(size, max(_SHORTEST, left // (len(whole) - done)))
        left -= room[index]
    return [_cut(part, room[i]) for i, part in enumerate(whole)]


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:  # whatever somebody's own class does there
        return f"a {type(value).__name__}"


def _escaped(text: str) -> str:
    if text.isprintable():
        return text
    return re.sub(r"[^ -~]", lambda found: _shown(found[0]), text)


def _shown(character: str) -> str:
    if character.isprintable() or character in _JOINERS or unicodedata.category(character) in _HARMLESS:
        return character
    return repr(character)[1:-1]
