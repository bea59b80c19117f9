"""Many networks: one failure does not stop the rest, and the same call goes on where the last one stopped."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from hwnas.export.many import ERRORS, export_many
from hwnas.export.pipeline import export
from hwnas.export.present import differs, due
from profilers.base import Options
from profilers.errors import BadInput
from tests.hwnas.exporting import REQUEST, item


class Items:
    def __init__(self, broken: dict[str, Exception]) -> None:
        self.broken, self.made = broken, []

    def __call__(self, key: str):
        self.made.append(key)
        if key in self.broken:
            raise self.broken[key]
        return item(int(key), None)


def lines(folder):
    return [json.loads(line) for line in (folder / ERRORS).read_text().splitlines()]


@pytest.mark.slow
def test_failures_are_recorded_and_the_rest_goes_on(tmp_path):
    items = Items({"1": BadInput("no weights"), "2": RuntimeError("out of\nmemory")})
    found = export_many(["0", "1", "2", "3"], items, REQUEST, tmp_path)
    assert list(found.done) == ["0", "3"] and found.kept == []
    assert found.failed == {"1": "no weights", "2": "RuntimeError: out of memory"}
    assert [(row["id"], row["error"]) for row in lines(tmp_path)] == list(found.failed.items())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0", "3", ERRORS]

    again = Items({"2": RuntimeError("still")})
    found = export_many(["0", "1", "2", "3"], again, REQUEST, tmp_path)
    assert again.made == ["1", "2"] and found.kept == ["0", "3"] and list(found.done) == ["1"]
    assert [row["error"] for row in lines(tmp_path)] == ["RuntimeError: still"]

    last = Items({})
    export_many(["0", "1", "2", "3"], last, REQUEST, tmp_path)
    assert last.made == ["2"] and not (tmp_path / ERRORS).exists()


def test_a_call_that_was_interrupted_goes_on(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        export_many(["0", "1"], Items({"1": KeyboardInterrupt()}), REQUEST, tmp_path)
    items = Items({})
    assert export_many(["0", "1"], items, REQUEST, tmp_path).kept == ["0"] and items.made == ["1"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0", "1"]


def test_another_request_is_refused_and_a_changed_folder_made_again(tmp_path):
    export_many(["0"], Items({}), REQUEST, tmp_path)
    assert differs(tmp_path / "0", REQUEST) == []
    assert differs(tmp_path / "0", replace(REQUEST, options=Options(batch=2))) == ["batch was 1, is 2"]
    assert differs(tmp_path / "0", replace(REQUEST, engine="openvino")) == ["engine was 'onnxruntime', is 'openvino'"]
    other = replace(REQUEST, weights="of another supernet")
    with pytest.raises(BadInput, match=r"weights was '', is 'of another supernet'; .*another --out, or --fresh"):
        export_many(["0"], Items({}), other, tmp_path)
    with pytest.raises(BadInput, match="holds an exported engine"):
        export_many(["0"], Items({}), REQUEST, tmp_path, resume=False)
    (tmp_path / "0/model.onnx").write_bytes(b"")
    assert differs(tmp_path / "0", REQUEST) is None
    items = Items({})
    export_many(["0"], items, REQUEST, tmp_path)
    export_many(["0"], items, other, tmp_path, fresh=True)
    assert items.made == ["0", "0"] and differs(tmp_path / "0", other) == []


def test_one_export_is_kept_or_refused(tmp_path, capsys):
    first, second = item(0, None), item(1, None)
    assert list(due({"": first}, REQUEST, tmp_path / "x")) == [""]
    export({"": first}, REQUEST, tmp_path / "x")
    assert due({"": first}, REQUEST, tmp_path / "x") == {}
    assert "an export of this very configuration, finished: kept" in capsys.readouterr().err
    with pytest.raises(BadInput, match=r"it is of another network; .*another --out, or --fresh"):
        due({"": second}, REQUEST, tmp_path / "x")
    assert due({"": second}, REQUEST, tmp_path / "x", fresh=True) == {"": second}


def test_a_request_that_fits_no_network_is_refused_at_once(tmp_path):
    with pytest.raises(BadInput, match="unknown engine"):
        export_many(["0"], Items({}), replace(REQUEST, engine="tflite"), tmp_path)
