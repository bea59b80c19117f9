"""What the documents name exists: links, files, the version."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

import hwnas

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
GENERATED = {"CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "reference/command-line.md", "reference/files.md"}
FILE = re.compile(r"`((?:hwnas|lut|profilers|tests|tools|docs)/[\w/.-]*)`")


def made(document: Path, link: str) -> bool:
    """Whether the site makes that page (tools/documents/hook.py)."""
    return os.path.normpath(document.parent / link) in {str(ROOT / "docs" / name) for name in GENERATED}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_files_exist(document):
    text = document.read_text()
    links = LINK.findall(text)
    missing = [link for link in links if not ((document.parent / link).exists() or made(document, link))]
    missing += [name for name in FILE.findall(text) if "NAME" not in name and not (ROOT / name).exists()]
    assert missing == []


def test_the_reference_has_every_public_name():
    page = (ROOT / "docs/reference/python.md").read_text()
    assert set(hwnas.__all__) - set(re.findall(r"^::: hwnas(?:\.\w+)*\.(\w+)$", page, re.M)) == set()


def test_the_readme_is_one_screen():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_the_citation_is_of_this_version():
    assert re.search(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(), re.M)[1] == hwnas.__version__


def test_no_page_is_without_a_way_to_it():
    """MkDocs holds links, anchors and this, too (tools/docs); it is not installed everywhere."""
    navigation = (ROOT / "docs/mkdocs.yml").read_text().partition("\nnav:")[2]
    named = re.findall(r"([\w/.-]+\.md)$", navigation, re.M)
    pages = {str(path.relative_to(ROOT / "docs")) for path in ROOT.glob("docs/**/*.md")}
    assert sorted(pages - set(named)) == []
    assert sorted(set(named) - pages - GENERATED) == []
