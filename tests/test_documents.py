"""What the documents name exists: links, files, the version."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import hwnas

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
FILE = re.compile(r"`((?:hwnas|lut|profilers|tests|tools|docs)/[\w/.-]*)`")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_files_exist(document):
    text = document.read_text()
    missing = [link for link in LINK.findall(text) if not (document.parent / link).exists()]
    missing += [name for name in FILE.findall(text) if "NAME" not in name and not (ROOT / name).exists()]
    assert missing == []


def test_the_citation_is_of_this_version():
    assert re.search(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(), re.M)[1] == hwnas.__version__
