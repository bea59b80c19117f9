"""Templates: one escaping rule, strict names and strict JSON."""

from __future__ import annotations

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from profilers.markup import templates

EVIL = "</script><b a='\"'>&"


@pytest.fixture
def render():
    def call(source: str, **values: object) -> str:
        return templates("hwnas.report").from_string(source).render(values)

    return call


def test_every_text_is_escaped_in_elements_and_attributes(render):
    shown = render('<p title="{{ x }}">{{ x }}</p>', x=EVIL)
    assert shown.count("<") == shown.count(">") == 2 and shown.count('"') == 2
    assert render("{{ x }}", x=Markup("<br>")) == "<br>"


def test_json_cannot_end_a_script_and_is_strict(render):
    assert "<" not in render("{{ x | tojson }}", x=EVIL)
    with pytest.raises(ValueError, match="not JSON compliant"):
        render("{{ x | tojson }}", x=float("nan"))


def test_an_unknown_name_is_an_error(render):
    with pytest.raises(UndefinedError):
        render("{{ missing }}")


def test_control_characters_are_shown_and_surrogates_can_be_written(render):
    assert render("<p>{{ x }}</p>", x="a\x1b[31m\u202e\udcff\tb\nc") == "<p>a\\x1b[31m\\u202e\\udcff\tb\nc</p>"
