"""The cache of public files, its checksums, offline use, and `hwnas fetch`."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from hwnas.cli import main
from hwnas.fetch import FILES, PublicFile, cached, find
from hwnas.fetch import fetch as take
from profilers.errors import BadInput, FileProblem
from tests.hwnas.file_server import CONTENT, OTHER, names, public, serving


@pytest.fixture
def server():
    with serving() as running:
        yield running


# --- the cache -----------------------------------------------------------------------------------------------------


def test_another_content_than_was_first_taken_replaces_nothing(server, tmp_path):
    path = Path(take(public(server), tmp_path).path)
    record = (tmp_path / "ofa/net.sha256").read_text()
    path.write_bytes(OTHER)
    with pytest.raises(
        BadInput, match=r"net has sha256 .* as was first taken; nothing was replaced.*try: hwnas fetch net --fresh"
    ):
        take(public(server), tmp_path)
    assert path.read_bytes() == OTHER
    path.unlink()
    server.content = OTHER
    with pytest.raises(BadInput, match="nothing was replaced"):
        take(public(server), tmp_path)
    assert names(tmp_path) == ["net.sha256"] and (tmp_path / "ofa/net.sha256").read_text() == record
    assert take(public(server), tmp_path, fresh=True).sha256 == hashlib.sha256(OTHER).hexdigest()
    server.content = CONTENT
    assert take(public(server), tmp_path, fresh=True).sha256 == json.loads(record)["sha256"]


@pytest.mark.parametrize("kind", ["sha256", "git"])
def test_the_first_download_must_be_what_is_pinned(server, tmp_path, kind):
    blob = b"blob %d\0" % len(CONTENT) + CONTENT
    pins = {"sha256": hashlib.sha256(CONTENT).hexdigest(), "git": hashlib.sha1(blob).hexdigest()}
    file = replace(public(server), pinned=f"{kind}:{pins[kind]}")
    server.content = OTHER
    with pytest.raises(BadInput, match=rf"/net has {kind} .*, not {pins[kind][:16]}… as the catalogue says") as caught:
        take(file, tmp_path)
    assert "\n" not in str(caught.value) and names(tmp_path) == []
    server.content = CONTENT
    fetched = take(file, tmp_path)
    assert fetched.pinned and fetched.sha256 == pins["sha256"] and not take(public(server), tmp_path).pinned
    Path(fetched.path).write_bytes(OTHER)
    (tmp_path / "ofa/net.sha256").write_text(json.dumps({"sha256": hashlib.sha256(OTHER).hexdigest()}))
    with pytest.raises(BadInput, match="as the catalogue says"):
        take(file, tmp_path)


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
        assert re.fullmatch(r"sha256:[0-9a-f]{64}|git:[0-9a-f]{40}", file.pinned)
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
def unpinned(monkeypatch):
    """The catalogue without its hashes, for files that are made up here."""
    for name, file in FILES.items():
        monkeypatch.setitem(FILES, name, replace(file, pinned=""))


@pytest.fixture
def run(capsys):
    """The command: its exit code, the rows that it printed, its messages."""

    def call(*arguments: str) -> tuple[int, list[dict], str]:
        with pytest.raises(SystemExit) as caught:
            main(["fetch", *arguments])
        printed = capsys.readouterr()
        return int(caught.value.code or 0), [json.loads(line) for line in printed.out.splitlines()], printed.err

    return call


@pytest.mark.slow
def test_the_command_takes_files_from_a_mirror_and_lists_them(server, tmp_path, monkeypatch, unpinned, run):
    monkeypatch.setenv("HWNAS_CACHE", str(tmp_path))
    monkeypatch.setenv("HWNAS_MIRROR", f"{server.url}/")
    code, rows, messages = run("acc_predictor.pth", "note10")
    assert code == 0 and [r["name"] for r in rows] == [f.name for f in find(["acc_predictor.pth", "note10"])]
    assert rows[0]["path"] == f"{tmp_path}/files/ofa/acc_predictor.pth"
    assert Path(rows[0]["path"]).read_bytes() == CONTENT
    assert (
        f"OFA's accuracy predictor of space mbv3, 0.5 MB, from {server.url}/ofa/acc_predictor.pth; not pinned"
        in messages
    )
    code, listed, _ = run("--list")
    assert code == 0 and len(listed) == len(FILES)
    assert {r["name"] for r in listed if r["cached"]} == {r["name"] for r in rows}


def test_the_command_fails_in_one_line_and_works_from_a_folder(tmp_path, monkeypatch, unpinned, run):
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


def test_an_accuracy_predictor_is_found_by_its_name(server, tmp_path, monkeypatch, unpinned):
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


def test_the_authors_files_have_the_pinned_hashes(published, tmp_path):
    for file in find(["acc_predictor.pth", "mobile_trim.yaml", "i7-8700K_lut.yaml", "note10"]):
        fetched = take(file, tmp_path, published)
        assert fetched.pinned and f"sha256:{fetched.sha256}" == file.pinned
