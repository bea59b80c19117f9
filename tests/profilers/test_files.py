from __future__ import annotations

import os
from pathlib import Path

import pytest

from profilers import files
from profilers.errors import BadInput, FileProblem


def test_written_bytes_are_read_again(tmp_path):
    path = tmp_path / "new" / "folder" / "a.json"
    files.write_json(path, {"a": [1, 2.5, None]})
    assert files.read_json(path) == {"a": [1, 2.5, None]}
    assert [p.name for p in path.parent.iterdir()] == ["a.json"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failing_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch, step):
    path = tmp_path / "a"
    files.write_text(path, "old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os if step == "fsync" else Path, step, full)
    with pytest.raises(FileProblem, match="No space left"):
        files.write_text(path, "new")
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": 1, "a": 2}', "[1,", "[" * 100_000], ids=lambda t: t[:12])
def test_json_that_is_not_strict_is_one_line(text):
    with pytest.raises(BadInput, match=r"table\.json is not valid JSON") as caught:
        files.parse_json(text, "table.json")
    assert "\n" not in str(caught.value)


def test_nan_is_not_written(tmp_path):
    with pytest.raises(ValueError):
        files.write_json(tmp_path / "a.json", float("nan"))
    assert not (tmp_path / "a.json").exists()


def test_missing_and_binary_files_are_one_line(tmp_path):
    with pytest.raises(FileProblem, match="cannot read"):
        files.read_text(tmp_path / "absent")
    (tmp_path / "binary").write_bytes(b"ok\xff")
    with pytest.raises(BadInput, match="byte 2"):
        files.read_text(tmp_path / "binary")


def test_names_that_lead_out_of_a_folder_are_refused(tmp_path):
    assert files.inside(tmp_path, "a/b") == tmp_path.resolve() / "a/b"
    for name in ("../x", "/etc/passwd", "a/../../x"):
        with pytest.raises(BadInput, match="leads out"):
            files.inside(tmp_path, name)


def test_a_byte_order_mark_is_skipped(tmp_path):
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"a": "\xef\xbb\xbf"}')
    assert files.read_json(tmp_path / "a.json") == {"a": "\ufeff"}


def test_what_cannot_be_written_is_said_before_it_is_worked_for(tmp_path, monkeypatch):
    files.check_writable(tmp_path / "new" / "x.json", "--out DIR")
    assert not (tmp_path / "new").exists()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(FileProblem, match=r"x.json: no permission; try: --out DIR"):
        files.check_writable(tmp_path / "x.json", "--out DIR")


def test_files_have_the_permissions_that_the_umask_gives(tmp_path):
    for mask in (0o077, 0o002):
        before = os.umask(mask)
        try:
            files.write_text(tmp_path / "x", "text")
        finally:
            os.umask(before)
        assert (tmp_path / "x").stat().st_mode & 0o777 == 0o666 & ~mask


def test_nothing_is_left_of_a_file_whose_writing_was_interrupted(tmp_path, monkeypatch):
    def interrupted(handle):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.write_text(tmp_path / "x", "text")
    assert list(tmp_path.iterdir()) == []


def test_json_with_numbers_no_float_can_hold_or_too_deep_is_refused():
    for text in ("[1e999]", "[-1e999]", f"[{'9' * 101}]", "[" * 61 + "]" * 61):
        with pytest.raises(BadInput, match=r"t is not valid JSON: .*(finite|digits|inside each other)"):
            files.parse_json(text, "t")
    assert files.parse_json(f"[{'9' * 100}]", "t") and files.parse_json("[" * 60 + "]" * 60, "t")


def test_a_pipe_or_device_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), Path("/dev/null")):
        for read in (files.read_bytes, files.check_readable):
            with pytest.raises(FileProblem, match="a pipe, a socket or a device"):
                read(path)
    with pytest.raises(FileProblem, match="Is a directory"):
        files.read_bytes(tmp_path)


def test_the_shells_own_pipe_is_read():
    reading, writing = os.pipe()
    os.write(writing, b"content")
    os.close(writing)
    assert files.read_text(Path(f"/dev/fd/{reading}")) == "content"
    os.close(reading)


def test_a_file_beyond_the_limit_is_refused(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    with pytest.raises(BadInput, match="has 5 bytes; allowed: at most 4"):
        files.read_bytes(tmp_path / "a", 4)
    assert files.read_bytes(tmp_path / "a", 5) == b"12345"


def test_text_that_no_file_can_hold_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"would hold a\\udcffb; allowed: text in Unicode"):
        files.write_text(tmp_path / "a", "a\udcffb")
    assert not list(tmp_path.iterdir())
