"""A profile's page in a real browser: nothing is logged or asked for, and it fits a telephone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hwnas.onnx.open_model import open_model
from hwnas.profile.measure import profile_model
from hwnas.profile.page import write_page
from profilers.base import TimingPlan
from profilers.registry import get_profiler
from profilers.runtimes.fake import Fake
from tests.browsing import MARKS
from tests.profilers.models import chain
from tools.browser import Seen

pytestmark = MARKS


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    opened = replace(open_model(chain(size=40)), name="a_model_with_a_name_that_is_longer_than_any_telephone_is_wide")
    plan = TimingPlan(min_rounds=3, max_rounds=4)
    found = profile_model(opened, [get_profiler("onnxruntime"), Fake()], precisions=["fp32", "int8"], plan=plan)
    path = tmp_path_factory.mktemp("page") / "profile.html"
    write_page(found, path)
    return path


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [400, 1200])
def test_the_page_fits_and_asks_for_nothing(chromium, path, width, dark):
    seen = Seen(chromium, (width, 900), dark=dark)
    page = seen.open(path, drawn="")
    assert seen.complaints == [] and seen.outside == [path.resolve().as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    overflowing = "[...document.querySelectorAll('.text, .name, li, p')].filter(e => e.scrollWidth > e.clientWidth + 1"
    assert page.evaluate(f"{overflowing} && e.clientWidth).length") == 0
    light = "c => c.match(/[0-9]+/g).slice(0, 3).reduce((sum, x) => sum + Number(x), 0)"
    ink, paper = page.evaluate(f"(s => [s.color, s.backgroundColor].map({light}))(getComputedStyle(document.body))")
    assert abs(ink - paper) > 400 and (paper < ink) == dark
    bars = page.evaluate("[...document.querySelectorAll('.fill')].map(e => e.getBoundingClientRect().width)")
    assert bars and max(bars) > width / 5
    seen.close()
