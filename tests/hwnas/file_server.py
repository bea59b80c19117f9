"""A web server on this machine that serves one file, well or badly."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from hwnas.fetch import Patience, PublicFile

CONTENT = bytes(range(256)) * 2000  # 512,000 bytes
OTHER = CONTENT[::-1]
HASTY = Patience(timeout=10, retries=2, pause=0.01)
ONCE = Patience(timeout=10, retries=0, pause=0.01)


@dataclass
class Server:
    """What the next requests are answered, and what was asked: (Range, If-Range) of each request."""

    content: bytes = CONTENT
    etag: str = '"one"'
    ranges: bool = True
    break_after: list[int] = field(default_factory=list)  # bytes of each answer, before the connection is cut
    status: int = 200
    asked: list[tuple[str | None, str | None]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    hold: Callable[[], None] = lambda: None
    url: str = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        asked = handler.headers.get("Range")
        self.asked.append((asked, handler.headers.get("If-Range")))
        self.hold()
        if self.status != 200:
            handler.send_error(self.status)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.ranges else 0
        if start and handler.headers.get("If-Range") != self.etag:
            start = 0
        if start >= len(self.content):
            handler.send_error(416)
            return
        body = self.content[start:]
        handler.send_response(206 if start else 200)
        lines = {"ETag": self.etag, "Content-Length": str(len(body))}
        if start:
            lines["Content-Range"] = f"bytes {start}-{len(self.content) - 1}/{len(self.content)}"
        for name, value in (lines | self.headers).items():
            if value:
                handler.send_header(name, value)
        handler.end_headers()
        end = self.break_after.pop(0) if self.break_after else len(body)
        with suppress(OSError):  # a client that has seen enough
            handler.wfile.write(body[:end])
        handler.close_connection = True


@contextmanager
def serving() -> Iterator[Server]:
    """A running server."""
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            state.answer(self)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        state.url = f"http://127.0.0.1:{listening.server_port}"
        threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True).start()
        yield state
        listening.shutdown()


def public(server: Server) -> PublicFile:
    return PublicFile("net", "ofa/net", f"{server.url}/net", "a test")


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*") if p.is_file() and p.suffix != ".lock")
