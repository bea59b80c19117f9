from __future__ import annotations

from html.parser import HTMLParser

import pytest

from hwnas.space import get_space
from lut import Entry
from lut.table.page import colour, ink, page
from profilers.errors import TableError
from tests.lut.conftest import make_table

VOID = {"meta", "br"}


class Checked(HTMLParser):
    """Every element is closed in order; nothing is loaded from anywhere."""

    def __init__(self):
        super().__init__()
        self.open, self.cells, self.frames, self.text = [], 0, 0, ""

    def handle_starttag(self, tag, attrs):
        assert not {"src", "href"} & {name for name, _ in attrs} and tag not in ("script", "link", "img")
        if tag not in VOID:
            self.open.append(tag)
        self.cells += tag == "td" and any(name == "title" for name, _ in attrs)
        self.frames += ("class", "odd") in attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def read(text):
    parser = Checked()
    parser.feed(text)
    assert parser.open == []
    return parser


def test_the_page_holds_every_layer_and_fact(space, table):
    found = read(page(table, space, 16))
    assert found.cells == space.slots * 9 * len(space.resolutions) and found.frames == 0
    assert "standard errors of the layers" in found.text and "16 px" in found.text and "nothing" in found.text
    assert page(table, space, 16).count("<details open>") == 1


def test_suspicious_layers_are_framed(space, table):
    big = space.slot_layer(4, 16, 5, 3).key
    entries = {**table.entries, big: Entry(0.5 * table.entries[big].ms, 1e-6, 3)}
    assert read(page(make_table(space, entries=entries), space, 16)).frames >= 2


def test_names_cannot_inject_markup(space):
    text = page(make_table(space, device='<script>alert(1)</script>"', method="<b>"), space, 16)
    assert "<script" not in text and "<b>" not in text
    read(text)


def test_colours():
    assert colour(1.0, 1.0, 8.0) == "#440154" and colour(8.0, 1.0, 8.0) == "#fde725"
    assert colour(2.0**1.5, 1.0, 8.0) == "#21918c" and colour(9.0, 1.0, 1.0) == "#fde725"
    assert ink("#440154") == "#fff" and ink("#fde725") == "#000"


def test_another_space_is_refused(table):
    with pytest.raises(TableError):
        page(table, get_space("mbv3", [224]), 224)
