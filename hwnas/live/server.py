"""The page on the loopback, for a browser on this machine: read-only, and closed to other sites.

A site that the same browser shows could send requests here, or have its name resolve to this machine (DNS rebinding):
the request's Host must be this server's, and its Origin too where it has one. No other site may frame or read it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from hwnas.live.source import Pages
from profilers.errors import BadInput

LOOPBACK = "127.0.0.1"
EVERY = 2.0  # s between two looks
REST = 4.0  # times as long as the last look took, before the next: the search needs the processor more
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


class Server:
    """Serves pages until it is closed; the first look was taken before."""

    def __init__(self, pages: Pages, port: int = 0) -> None:
        self.pages, self._ended = pages, threading.Event()
        try:
            self._http = ThreadingHTTPServer((LOOPBACK, port), partial(_Handler, pages))
        except (OSError, OverflowError) as error:
            raise BadInput(f"--port {port} cannot be used ({error})", "a free port", "0, for any free one") from error
        self._http.daemon_threads = True
        self._threads = [threading.Thread(target=target, daemon=True) for target in (self._serve, self._look)]

    @property
    def address(self) -> str:
        """Of the page."""
        return f"http://{LOOPBACK}:{self._http.server_port}/"

    def start(self) -> None:
        """Begin to serve and to look."""
        for thread in self._threads:
            thread.start()

    def wait(self) -> None:
        """Until it is closed, or the program is interrupted."""
        while not self._ended.wait(3600):
            pass

    def close(self) -> None:
        """End it."""
        self._ended.set()
        if self._threads[0].is_alive():
            self._http.shutdown()
        self._http.server_close()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(10)

    def _serve(self) -> None:
        self._http.serve_forever(poll_interval=0.2)

    def _look(self) -> None:
        from time import monotonic

        pause = EVERY
        while not self._ended.wait(pause):
            start = monotonic()
            self.pages.refresh()
            pause = max(EVERY, REST * (monotonic() - start))


class _Handler(BaseHTTPRequestHandler):
    server_version, sys_version, timeout = "hwnas", "", 30.0

    def __init__(self, pages: Pages, *arguments: Any, **more: Any) -> None:
        self.pages = pages
        super().__init__(*arguments, **more)

    def do_GET(self) -> None:
        """Answer with one of three things."""
        if refused := self._refused():
            self.send_error(refused)
            return
        answers: dict[str, tuple[str, Callable[[], str]]] = {
            "/": ("text/html", self.pages.whole),
            "/part.html": ("text/html", lambda: self.pages.text),
            "/state.json": ("application/json", lambda: json.dumps(self.pages.state)),
        }
        if self.path not in answers:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        kind, make = answers[self.path]
        body = make().encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815

    def end_headers(self) -> None:
        """With what keeps other sites out, on errors too."""
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the command's output is for its user."""

    def _refused(self) -> HTTPStatus | None:
        """The status for a request that is not of this page; None for one that is."""
        port = int(self.connection.getsockname()[1])
        hosts = {f"{LOOPBACK}:{port}", f"localhost:{port}"}
        if self.headers.get_all("Host", []) not in [[host] for host in hosts]:
            return HTTPStatus.MISDIRECTED_REQUEST
        origins = self.headers.get_all("Origin", [])
        if any(origin not in {f"http://{host}" for host in hosts} for origin in origins):
            return HTTPStatus.FORBIDDEN
        opened = self.path == "/" and self.headers.get("Sec-Fetch-Mode") == "navigate"
        if self.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin") and not opened:
            return HTTPStatus.FORBIDDEN
        return None
