"""The site of docs/ from file://: its search finds, no page is wider than a phone, and axe finds nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.browsing import MARKS
from tools.browser import Seen

pytestmark = MARKS
ROOT = Path(__file__).resolve().parents[2]
PAGES = ("how-to/budgets.md", "reference/errors.md", "measurement.md", "images.md")
HOOK = "from tools.documents.hook import on_post_page, on_post_template\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Some typical pages as tools/docs builds them, without those that are made from the code."""
    yaml, place = pytest.importorskip("yaml"), tmp_path_factory.mktemp("site")
    pytest.importorskip("mkdocs")
    pytest.importorskip("material", reason="needs mkdocs-material")
    for name in PAGES:
        (place / "docs" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "docs" / name, place / "docs" / name)
    shutil.copytree(ROOT / "docs/assets", place / "docs/assets")
    (place / "hook.py").write_text(HOOK)
    settings = yaml.safe_load((ROOT / "docs/mkdocs.yml").read_text())
    settings |= {"nav": list(PAGES), "hooks": ["hook.py"], "plugins": ["search", "offline"]}
    (place / "mkdocs.yml").write_text(yaml.safe_dump(settings))
    build(place / "mkdocs.yml")
    return place / "site"


def build(config: Path) -> None:
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    build(load_config(str(config)))


@pytest.fixture
def phone(chromium):
    seen = Seen(chromium, (390, 800))
    yield seen
    seen.close()


def test_the_search_works_from_files(chromium, site):
    seen = Seen(chromium, (1280, 800))
    page = seen.open(site / "images.html", drawn="")
    page.locator(".md-search__input").click()
    page.keyboard.type("noise floor")
    page.locator(".md-search-result__link").first.wait_for()
    assert "noise" in page.locator(".md-search-result__list").inner_text().lower()
    assert seen.complaints == [] and {url.partition(":")[0] for url in seen.outside} == {"file"}
    seen.close()


def test_long_lines_of_output_are_in_sight_on_a_desk(chromium, site):
    seen = Seen(chromium, (1280, 800))
    page = seen.open(site / "how-to/budgets.html", drawn="")
    cut = "[...document.querySelectorAll('.language-console code')].map(c => c.scrollWidth > c.clientWidth)"
    found = page.evaluate(cut)
    seen.close()
    assert len(found) >= 2 and not any(found)


def test_no_page_is_wider_than_a_phone(phone, site):
    for path in sorted(site.rglob("*.html")):
        page = phone.open(path, drawn="")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path.name
    assert len(list(site.rglob("*.html"))) == len(PAGES)


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing_on_typical_pages(chromium, site, dark):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    seen = Seen(chromium, (1280, 800), dark=dark)
    for name in ("how-to/budgets.html", "reference/errors.html"):
        found = axe.run(seen.open(site / name, drawn="")).response["violations"]
        assert [(v["id"], [n["target"] for n in v["nodes"]][:3]) for v in found] == [], name
    seen.close()
