"""`hwnas fetch` against a server on this machine: interruptions, changed files, checksums, offline use."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hwnas.cli import main
from hwnas.fetch import FILES, NetworkProblem, Patience, PublicFile, cached, find
from hwnas.fetch import fetch as take
from hwnas.fetch.download import download
from profilers.errors import BadInput, FileProblem

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


@pytest.fixture
def server():
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


# --- downloads -----------------------------------------------------------------------------------------------------


def test_a_file_is_taken_once_and_then_needs_no_network(server, tmp_path):
    first = take(public(server), tmp_path)
    assert Path(first.path).read_bytes() == CONTENT and first.bytes == len(CONTENT)
    assert first.sha256 == hashlib.sha256(CONTENT).hexdigest() and first.source == f"{server.url}/net"
    server.status = 500
    again = take(public(server), tmp_path)
    assert (again.source, again.sha256, again.path) == ("cache", first.sha256, first.path)
    assert server.asked == [(None, None)] and names(tmp_path) == ["net", "net.sha256"]


def test_an_interrupted_download_goes_on_where_it_stopped(server, tmp_path):
    server.break_after = [200_000]
    with pytest.raises(NetworkProblem, match=r"broke off behind 200000 bytes.*the same command again.*--from DIR"):
        take(public(server), tmp_path, patience=ONCE)
    assert names(tmp_path) == ["net.part", "net.part.json"]
    fetched = take(public(server), tmp_path, patience=ONCE)
    assert Path(fetched.path).read_bytes() == CONTENT
    assert server.asked == [(None, None), ("bytes=200000-", '"one"')]
    assert names(tmp_path) == ["net", "net.sha256"]


def test_it_goes_on_by_itself_while_it_gets_further(server, tmp_path):
    server.break_after = [100_000, 150_000]
    assert Path(take(public(server), tmp_path, patience=HASTY).path).read_bytes() == CONTENT
    assert [r for r, _ in server.asked] == [None, "bytes=100000-", "bytes=250000-"]
    server.asked.clear()
    server.break_after = [0, 0, 0]
    with pytest.raises(NetworkProblem, match="broke off behind 0 bytes"):
        download(f"{server.url}/net", tmp_path / "other.part", "net", HASTY)
    assert len(server.asked) == 1  # an answer without a byte is not asked for again


def test_a_server_without_ranges_sends_the_whole_file_again(server, tmp_path):
    server.break_after, server.ranges = [200_000], False
    fetched = take(public(server), tmp_path, patience=HASTY)
    assert Path(fetched.path).read_bytes() == CONTENT and server.asked[1] == ("bytes=200000-", '"one"')


def test_a_file_that_changed_in_between_is_taken_from_its_beginning(server, tmp_path):
    server.break_after = [200_000]
    with pytest.raises(NetworkProblem):
        take(public(server), tmp_path, patience=ONCE)
    server.content, server.etag = OTHER, '"two"'
    assert Path(take(public(server), tmp_path, patience=ONCE).path).read_bytes() == OTHER


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_without_a_strong_validator_nothing_is_put_together(server, tmp_path, etag):
    server.break_after, server.etag = [200_000], etag
    assert Path(take(public(server), tmp_path, patience=HASTY).path).read_bytes() == CONTENT
    assert [r for r, _ in server.asked] == [None, None]


def test_last_modified_serves_where_there_is_no_etag(server, tmp_path):
    server.break_after = [200_000]
    server.headers = {"Last-Modified": "Tue, 24 Nov 2026 08:00:00 GMT", "ETag": ""}
    take(public(server), tmp_path, patience=HASTY)
    assert server.asked[1] == ("bytes=200000-", "Tue, 24 Nov 2026 08:00:00 GMT")


def test_bytes_from_elsewhere_are_not_put_behind_what_is_there(server, tmp_path):
    server.break_after = [200_000]
    with pytest.raises(NetworkProblem):
        take(public(server), tmp_path, patience=ONCE)
    server.headers = {"Content-Range": "bytes 100000-511999/512000"}
    with pytest.raises(NetworkProblem, match="bytes from 100000"):
        take(public(server), tmp_path, patience=ONCE)
    server.headers = {}
    assert Path(take(public(server), tmp_path, patience=ONCE).path).read_bytes() == CONTENT


def test_more_than_the_server_has_is_begun_anew(server, tmp_path):
    server.break_after = [200_000]
    with pytest.raises(NetworkProblem):
        take(public(server), tmp_path, patience=ONCE)
    server.content = CONTENT[:1000]
    assert Path(take(public(server), tmp_path, patience=ONCE).path).read_bytes() == CONTENT[:1000]


@pytest.mark.parametrize("state", ["", "[]", '{"url": "http://elsewhere/net", "validator": "\\"one\\""}', '{"url": 1}'])
def test_a_partial_file_of_unknown_origin_is_begun_anew(server, tmp_path, state):
    (tmp_path / "ofa").mkdir()
    (tmp_path / "ofa/net.part").write_bytes(b"what is this")
    (tmp_path / "ofa/net.part.json").write_text(state)
    assert Path(take(public(server), tmp_path, patience=ONCE).path).read_bytes() == CONTENT
    assert server.asked == [(None, None)]


@pytest.mark.parametrize("status", [404, 403, 500])
def test_an_error_of_the_server_is_one_line(server, tmp_path, status):
    server.status = status
    with pytest.raises(NetworkProblem, match=rf"/net: HTTP {status} .*; try: --from DIR"):
        take(public(server), tmp_path)
    assert names(tmp_path) == [] and len(server.asked) == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/net", "http://name.invalid/net", "http://[broken/net"])
def test_without_a_network_it_names_the_way_that_needs_none(tmp_path, url):
    with pytest.raises(NetworkProblem, match=r"cannot reach .*; try: --from DIR") as caught:
        take(PublicFile("net", "net", url, ""), tmp_path)
    assert "\n" not in str(caught.value) and names(tmp_path) == []


def test_a_silent_server_is_not_waited_for_for_ever(server, tmp_path):
    silence = threading.Event()
    server.hold = lambda: silence.wait(30)
    try:
        with pytest.raises(NetworkProblem, match="timed out"):
            take(public(server), tmp_path, patience=Patience(timeout=0.2))
    finally:
        silence.set()


def test_a_file_that_would_fill_the_disk_is_refused(server, tmp_path, monkeypatch):
    monkeypatch.setattr("hwnas.fetch.download.LARGEST", 1000)
    with pytest.raises(NetworkProblem, match="has 512000 bytes; allowed: 1000 at most"):
        take(public(server), tmp_path)
    server.headers = {"Content-Length": ""}
    with pytest.raises(NetworkProblem, match="without end"):
        take(public(server), tmp_path)


# --- the cache -----------------------------------------------------------------------------------------------------


def test_another_content_than_was_first_taken_replaces_nothing(server, tmp_path):
    path = Path(take(public(server), tmp_path).path)
    record = (tmp_path / "ofa/net.sha256").read_text()
    path.write_bytes(OTHER)
    with pytest.raises(
        BadInput, match=r"net has SHA-256 .* as first taken; nothing was replaced.*try: rm .*net.sha256"
    ):
        take(public(server), tmp_path)
    assert path.read_bytes() == OTHER
    path.unlink()
    server.content = OTHER
    with pytest.raises(BadInput, match="nothing was replaced"):
        take(public(server), tmp_path)
    assert names(tmp_path) == ["net.sha256"] and (tmp_path / "ofa/net.sha256").read_text() == record
    server.content = CONTENT
    assert take(public(server), tmp_path).sha256 == json.loads(record)["sha256"]


def test_files_come_from_a_folder_without_a_network(tmp_path):
    file = PublicFile("net", "ofa/net", "http://127.0.0.1:9/net", "")
    for place in ("a/ofa/net", "b/net"):
        source = tmp_path / place
        source.parent.mkdir(parents=True)
        source.write_bytes(CONTENT)
        folder = tmp_path / place[0]
        fetched = take(file, tmp_path / "cache" / place[0], folder)
        assert Path(fetched.path).read_bytes() == CONTENT and fetched.source == str(source)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match=r"empty has no net; allowed: .*empty/ofa/net or .*empty/net"):
        take(file, tmp_path / "cache2", tmp_path / "empty")


@pytest.mark.parametrize("path", ["../net", "/etc/net", "ofa/../../net"])
def test_no_file_leaves_the_cache(tmp_path, path):
    with pytest.raises(BadInput, match="leads out of"):
        take(PublicFile("net", path, "http://127.0.0.1:9/net", ""), tmp_path / "cache")
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileProblem, match=r"cannot write .*; try: --cache DIR"):
        take(PublicFile("net", "net", "http://127.0.0.1:9/net", ""), tmp_path / "file")


def test_fetches_at_the_same_time_take_one_file_between_them(server, tmp_path):
    found, gate = [], threading.Event()
    server.hold = lambda: gate.wait(30)
    work = [threading.Thread(target=lambda: found.append(take(public(server), tmp_path))) for _ in range(4)]
    for thread in work:
        thread.start()
    gate.set()
    for thread in work:
        thread.join(60)
    assert sorted(f.source for f in found) == ["cache", "cache", "cache", f"{server.url}/net"]
    assert len(server.asked) == 1 and Path(found[0].path).read_bytes() == CONTENT


# --- the catalogue and the command ---------------------------------------------------------------------------------


def test_addresses_and_paths_are_sound():
    assert len({f.path for f in FILES.values()}) == len(FILES) == 24
    for file in FILES.values():
        assert file.url.startswith("https://raw.githubusercontent.com/") and ".." not in file.path
        assert file.url.rpartition("/")[2] == file.path.rpartition("/")[2]


def test_names_and_groups_are_found_and_others_refused():
    assert [f.name for f in find(["note10", "note10/160_lookup_table.yaml"])] == [
        f"note10/{r}_lookup_table.yaml" for r in (160, 176, 192, 208, 224)
    ]
    with pytest.raises(BadInput, match=r"no public file 'acc_predictor'; allowed: .*; try: acc_predictor\.pth"):
        find(["acc_predictor"])
    with pytest.raises(BadInput, match=r"no public file '\.\./\.\./etc/passwd'"):
        find(["../../etc/passwd"])


@pytest.fixture
def run(capsys):
    """The command: its exit code, the rows that it printed, its messages."""

    def call(*arguments: str) -> tuple[int, list[dict], str]:
        with pytest.raises(SystemExit) as caught:
            main(["fetch", *arguments])
        printed = capsys.readouterr()
        return int(caught.value.code or 0), [json.loads(line) for line in printed.out.splitlines()], printed.err

    return call


def test_the_command_takes_files_from_a_mirror_and_lists_them(server, tmp_path, monkeypatch, run):
    monkeypatch.setenv("HWNAS_CACHE", str(tmp_path))
    monkeypatch.setenv("HWNAS_MIRROR", f"{server.url}/")
    code, rows, messages = run("acc_predictor.pth", "note10")
    assert code == 0 and [r["name"] for r in rows] == [f.name for f in find(["acc_predictor.pth", "note10"])]
    assert rows[0]["path"] == f"{tmp_path}/files/ofa/acc_predictor.pth"
    assert Path(rows[0]["path"]).read_bytes() == CONTENT
    assert f"OFA's accuracy predictor of space mbv3, 0.5 MB, from {server.url}/ofa/acc_predictor.pth" in messages
    code, listed, _ = run("--list")
    assert code == 0 and len(listed) == len(FILES)
    assert {r["name"] for r in listed if r["cached"]} == {r["name"] for r in rows}


def test_the_command_fails_in_one_line_and_works_from_a_folder(tmp_path, monkeypatch, run):
    monkeypatch.setenv("HWNAS_MIRROR", "http://127.0.0.1:9")
    code, rows, messages = run("mobile_trim.yaml", "--cache", str(tmp_path / "cache"))
    assert (code, rows, messages.count("\n")) == (2, [], 1)
    assert messages.startswith("hwnas: cannot reach http://127.0.0.1:9/proxylessnas/mobile_trim.yaml: ")
    assert "--from DIR" in messages
    (tmp_path / "mobile_trim.yaml").write_bytes(CONTENT)
    code, rows, _ = run("mobile_trim.yaml", "--from", str(tmp_path), "--cache", str(tmp_path / "cache"))
    assert code == 0 and rows[0]["path"] == f"{tmp_path}/cache/proxylessnas/mobile_trim.yaml"
    for arguments, message in (((), "no name"), (("mobile_trim.yaml", "--from", "/nowhere"), "is no folder")):
        code, rows, messages = run(*arguments)
        assert (code, rows) == (2, []) and message in messages


def test_an_accuracy_predictor_is_found_by_its_name(server, tmp_path, monkeypatch):
    from hwnas import accuracy

    name, own = "ofa-predictor:acc_predictor.pth", f"ofa-predictor:{tmp_path}/acc_predictor.pth"
    monkeypatch.setenv("HWNAS_CACHE", str(tmp_path))
    assert cached("acc_predictor.pth") is None and cached("nothing") is None
    assert accuracy.resolve(name, tmp_path) == own
    monkeypatch.setenv("HWNAS_MIRROR", server.url)
    path = take(FILES["acc_predictor.pth"], tmp_path / "files").path
    assert accuracy.resolve(name, tmp_path) == f"ofa-predictor:{path}"
    (tmp_path / "acc_predictor.pth").write_bytes(b"his own")
    assert accuracy.resolve(name, tmp_path) == own


def test_the_authors_files_are_taken_from_a_copy_of_them(published, tmp_path):
    for file in find(["acc_predictor.pth", "mobile_trim.yaml", "i7-8700K_lut.yaml", "note10"]):
        assert Path(take(file, tmp_path, published).path).stat().st_size > 1000
