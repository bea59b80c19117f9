"""A headless Chromium by Playwright: what a page logs, asks for and looks like.

The browser is the system's own, never one of Playwright's downloads. No name resolves in it, and 3-D figures are drawn
in software: neither a network nor a GPU is needed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--no-sandbox", "--disable-dev-shm-usage", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip
PATIENCE = 180_000  # ms, on a machine with much other work
DRAWN = "html[data-drawn]"  # a report's script says so when all figures are drawn


def find() -> str | None:
    """A Chromium's path, if one is installed."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def browse() -> Iterator[Any]:
    """A fresh browser of Playwright.

    Raises:
        FileNotFoundError: no Chromium is installed, or no Playwright.
    """
    path = find()
    if path is None:
        raise FileNotFoundError(f"none of {', '.join(NAMES)} is installed; try: apt-get install chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise FileNotFoundError("playwright is not installed; try: pip install 'hwnas[test]'") from error
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class Seen:
    """A page, with what it has complained of and asked for since it was opened."""

    def __init__(self, browser: Any, size: tuple[int, int], *, dark: bool = False, scale: float = 1.0) -> None:
        theme, (width, height) = "dark" if dark else "light", size
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, device_scale_factor=scale,
            accept_downloads=True,
        )  # fmt: skip
        self.context.set_default_timeout(PATIENCE)
        self.page, self.complaints, self.requests = self.context.new_page(), list[str](), list[str]()
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda line: self.complaints.append(line.text) if line.type == "error" else None)
        self.page.on("request", lambda asked: self.requests.append(asked.url))

    def open(self, address: Path | str, *, drawn: str = DRAWN) -> Any:
        """Load it, and wait until it is drawn; gives Playwright's page."""
        self.complaints.clear()
        self.requests.clear()
        self.page.goto(address.resolve().as_uri() if isinstance(address, Path) else address)
        if drawn:
            self.page.wait_for_selector(drawn, state="attached")
            # two frames later WebGL's canvases hold their picture
            self.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return self.page

    @property
    def outside(self) -> list[str]:
        """Addresses that are no data of its own file."""
        return [url for url in self.requests if not url.startswith(("data:", "blob:"))]

    def close(self) -> None:
        """Close it."""
        self.context.close()
