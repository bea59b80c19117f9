"""The page on the loopback, for a browser on this machine: read-only, and closed to other sites.

A site that the same browser shows could send requests here, or have its name resolve to this machine (DNS rebinding):
the request's Host must be this server's, and its Origin too where it has one. No other site may frame or read it.
Another user of this machine can connect to the loopback, too: the address holds a secret, which is new at each start.
"""

from __future__ import annotations

import hmac
import json
import secrets
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
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


PAGE_POLICY = "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"  # its scripts' hashes stand in the page
OTHER_POLICY = f"default-src 'none'; {PAGE_POLICY}"


class Server:
    """Serves pages until it is closed; the first look was taken before."""

    def __init__(self, pages: Pages, port: int = 0) -> None:
        self.pages, self._ended, self._secret = pages, threading.Event(), secrets.token_urlsafe(16)
        try:
            self._http = ThreadingHTTPServer((LOOPBACK, port), partial(_Handler, pages, self._secret))
        except (OSError, OverflowError) as error:
            raise BadInput(f"--port {port} cannot be used ({error})", "a free port", "0, for any free one") from error
        self._http.daemon_threads = True
        self._threads = [threading.Thread(target=target, daemon=True) for target in (self._serve, self._look)]

    @property
    def address(self) -> str:
        """Of the page."""
        return f"http://{LOOPBACK}:{self._http.server_port}/{self._secret}/"

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

    def __init__(self, pages: Pages, secret: str, *arguments: Any, **more: Any) -> None:
        self.pages, self._root, self._policy = pages, f"/{secret}/", OTHER_POLICY
        super().__init__(*arguments, **more)

    def do_GET(self) -> None:
        """Answer with one of three things."""
        if refused := self._refused():
            self.send_error(refused)
            return
        answers: dict[str, tuple[str, Callable[[], str]]] = {
            "": ("text/html", self.pages.whole),
            "part.html": ("text/html", lambda: self.pages.text),
            "state.json": ("application/json", lambda: json.dumps(self.pages.state)),
        }
        name = self._asked()
        if name not in answers:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        kind, make = answers[name]
        self._policy = OTHER_POLICY if name else PAGE_POLICY
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
        for name, value in (HEADERS | {"Content-Security-Policy": self._policy}).items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the command's output is for its user."""

    def _asked(self) -> str | None:
        """What is asked for behind the secret; None without it. How long the comparison takes tells nothing of it."""
        begin, name = self.path[: len(self._root)], self.path[len(self._root) :]
        return name if hmac.compare_digest(begin.encode(), self._root.encode()) else None

    def _refused(self) -> HTTPStatus | None:
        """The status for a request that is not of this page; None for one that is."""
        port = int(self.connection.getsockname()[1])
        hosts = {f"{LOOPBACK}:{port}", f"localhost:{port}"}
        if self.headers.get_all("Host", []) not in [[host] for host in hosts]:
            return HTTPStatus.MISDIRECTED_REQUEST
        origins = self.headers.get_all("Origin", [])
        if any(origin not in {f"http://{host}" for host in hosts} for origin in origins):
            return HTTPStatus.FORBIDDEN
        opened = self._asked() == "" and self.headers.get("Sec-Fetch-Mode") == "navigate"
        if self.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin") and not opened:
            return HTTPStatus.FORBIDDEN
        return None
