"""Downloads from a server on this machine: interruptions, changed files, errors, no network."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest

from hwnas.fetch import NetworkProblem, Patience, PublicFile
from hwnas.fetch import fetch as take
from hwnas.fetch.download import download
from tests.hwnas.file_server import CONTENT, HASTY, ONCE, OTHER, names, public, serving


@pytest.fixture
def server():
    with serving() as running:
        yield running


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
