"""A headless Chromium, driven over a pipe with the DevTools protocol: what a page logs, asks for and looks like.

No port is opened, no name resolves, and 3-D figures are drawn in software: neither a network nor a GPU is needed.
Protocol: JSON messages that end with a zero byte, to its file descriptor 3 and from its 4 (--remote-debugging-pipe).
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-default-apps", "--disable-extensions", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-pipe",
)  # fmt: skip
# puts the pipes where Chromium listens, then becomes Chromium
_WIRE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


def find() -> str | None:
    """A Chromium's path, if one is installed."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Page:
    """One open page; `events` are all that the browser has told about it."""

    def __init__(self, send: int, receive: int, seconds: float) -> None:
        self._send, self._receive, self._deadline = send, receive, time.monotonic() + seconds
        self._buffer, self._next, self._session = b"", 0, None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and wait for its result."""
        self._next += 1
        message = {"id": self._next, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._send, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._next:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def open(self, path: Path, size: tuple[int, int], *, dark: bool = False, scale: float = 1.0) -> None:
        """Load a file and wait until its script has drawn all figures (`data-drawn` on the root element)."""
        theme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=theme)
        self.resize(size, scale)
        self.call("Page.navigate", url=path.resolve().as_uri())
        self.until("'drawn' in document.documentElement.dataset")
        # two frames later WebGL's canvases hold their picture
        frames = "requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 300)))"
        self.value(f"new Promise(done => {frames})")

    def resize(self, size: tuple[int, int], scale: float = 1.0) -> None:
        """Width and height of the window in px; an image of it has `scale` pixels per px."""
        width, height = size
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False
        )

    def value(self, expression: str) -> Any:
        """What a JavaScript expression (or its promise) gives."""
        found = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        return found["result"].get("value")

    def until(self, condition: str) -> bool:
        """Wait until a JavaScript expression is true; TimeoutError when the browser's time is over."""
        while not self.value(condition):
            if time.monotonic() > self._deadline:
                raise TimeoutError(f"{condition} has not become true")
            time.sleep(0.1)
        return True

    def picture(self, selector: str | None = None) -> bytes:
        """PNG of the window, or of the first element that the selector finds."""
        options: dict[str, Any] = {"format": "png"}
        if selector:
            box = "(b => [b.x + scrollX, b.y + scrollY, b.width, b.height])"
            box += f"({_element(selector)}.getBoundingClientRect())"
            options["clip"] = dict(zip(("x", "y", "width", "height"), self.value(box), strict=True)) | {"scale": 1}
            options["captureBeyondViewport"] = True
        return base64.b64decode(self.call("Page.captureScreenshot", **options)["data"])

    def complaints(self) -> list[str]:
        """Errors that the page logged or threw."""
        return [text for event in self.events if (text := _complaint(event["method"], event["params"]))]

    def requests(self) -> list[str]:
        """Addresses that the page asked for, apart from data in its own file."""
        sent = [e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent"]
        return [url for url in sent if not url.startswith(("data:", "blob:"))]

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            left = self._deadline - time.monotonic()
            if left <= 0 or not select.select([self._receive], [], [], left)[0]:
                raise TimeoutError("the browser did not answer in time")
            data = os.read(self._receive, 1 << 20)
            if not data:
                raise RuntimeError("the browser has ended")
            self._buffer += data
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)


@contextmanager
def browse(seconds: float = 180) -> Iterator[Page]:
    """A page in a fresh browser, which may take so long altogether.

    Raises:
        FileNotFoundError: no Chromium is installed.
    """
    path = find()
    if path is None:
        raise FileNotFoundError(f"none of {', '.join(NAMES)} is installed; try: apt-get install chromium")
    (theirs_in, send), (receive, theirs_out) = (map(_high, os.pipe()) for _ in range(2))
    with tempfile.TemporaryDirectory(prefix="hwnas-browser-", ignore_cleanup_errors=True) as profile:
        wired = [sys.executable, "-c", _WIRE, str(theirs_in), str(theirs_out), path]
        process = subprocess.Popen(
            [*wired, *FLAGS, f"--user-data-dir={profile}"], pass_fds=(theirs_in, theirs_out), start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)  # so that the end of the browser is the end of the pipe
        try:
            yield Page(send, receive, seconds)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            os.close(send)
            os.close(receive)


def _high(handle: int) -> int:
    """The same file under a number that is not 3 or 4, where Chromium listens."""
    other = fcntl.fcntl(handle, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(handle)
    return other


def _element(selector: str) -> str:
    return f"document.querySelector({json.dumps(selector)})"


def _complaint(method: str, params: dict[str, Any]) -> str | None:
    if method == "Runtime.exceptionThrown":
        details = params["exceptionDetails"]
        return str(details.get("exception", {}).get("description") or details["text"])
    if method == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
        return " ".join(str(a.get("value", a.get("description"))) for a in params["args"])
    if method == "Log.entryAdded" and params["entry"]["level"] == "error":
        return str(params["entry"]["text"])
    return None
