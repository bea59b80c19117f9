"""Hooks of MkDocs: pages that are not files of docs/, links that lead out of it, and names for what has none."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath
from typing import Any

from mkdocs.structure.files import File, Files

from tools.documents import command_line, devices, file_formats

ROOT = Path(__file__).resolve().parents[2]
ABOUT = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")  # at the top of the repository, where people look for them
PICTURES = "tools/pictures"
GENERATED = {"reference/command-line.md": command_line.text, "reference/files.md": file_formats.text}
TABLES = {"<!-- the engines -->": devices.engines, "<!-- the cards -->": devices.known_cards}
LINK = re.compile(r"(\]\()(?!\w+:|#)([^)\s#]+)")
NAMES = {  # what the theme leaves without a name, or with one that a section may have
    'data-md-component="search" role="dialog"': 'data-md-component="search" role="dialog" aria-label="Search"',
    'class="md-search__options" aria-label="Search"': 'class="md-search__options" aria-label="Search options"',
}
SECTION = re.compile(
    r'aria-labelledby="__nav_\w+_label"'
    r'([^>]*>\s*<label class="md-nav__title"[^>]*>\s*<span[^>]*></span>\s*([^<]*?)\s*</label>)'
)  # its label holds nothing but an arrow where the section has a page of its own


def on_files(files: Files, config: Any) -> Files:
    """Add them; README.md at the top is index.md here."""
    for name, page in GENERATED.items():
        files.append(File.generated(config, name, content=page()))
    for path in [*(ROOT / name for name in ABOUT), *(ROOT / PICTURES).glob("*.png")]:
        files.append(File.generated(config, str(path.relative_to(ROOT)), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links as GitHub follows them become links of the site."""
    name = page.file.src_uri
    at = "." if name in ABOUT else str(PurePosixPath("docs", name).parent)
    found = LINK.sub(lambda link: link[1] + _moved(link[2], at, name), markdown)
    for mark, table in TABLES.items():
        found = found.replace(mark, table()) if mark in found else found
    return found


def on_post_page(output: str, **_: Any) -> str:
    """What a screen reader needs and the theme lacks: a name for the search, and for each section of the navigation."""
    for text, named in NAMES.items():
        output = output.replace(text, named)
    return SECTION.sub(r'aria-label="\2"\1', output)


def on_post_template(output_content: str, template_name: str, **_: Any) -> str:
    """No page for a web server's missing addresses: this site is read from files."""
    return "" if template_name == "404.html" else output_content


def _moved(target: str, folder: str, page: str) -> str:
    """A link's target, relative to its file in the repository, as one that is relative to its page."""
    place = normpath(f"{folder}/{target}")
    if place == "README.md":
        place = "docs/index.md"
    if place.startswith("docs/"):
        place = place.removeprefix("docs/")
    elif place not in ABOUT and not place.startswith(PICTURES):
        return target
    return relpath(place, str(PurePosixPath(page).parent))
