"""What stages leave each other in files is checked when it is read."""

import json

import pytest

from hwnas.recipe import records
from profilers.errors import BadInput

NETWORK = {"id": "0123456789", "val_top1": 71.0, "val_top1_before": 60.0, "arch": {"ks": [3]}, "more": [1]}
ENGINE = {"measured_ms": 1.0, "measured_low": 0.9, "measured_high": 1.1, "top1_agreement": 1.0, "differences": []}
ROW = {"name": "0123456789", "ms": None, "top1": 60.0, "top1_low": 50.0, "top1_high": 70.0, "size": 32}


def test_what_was_written_is_read_whole(tmp_path):
    (tmp_path / "n.jsonl").write_text(f"{json.dumps(NETWORK)}\n" * 2)
    (tmp_path / "e.json").write_text(json.dumps(ENGINE))
    (tmp_path / "c.json").write_text(json.dumps({"networks": [ROW], "clock": "wall"}))
    assert records.trained(tmp_path / "n.jsonl") == [NETWORK, NETWORK]
    assert records.validated(tmp_path / "e.json") == ENGINE and records.compared(tmp_path / "c.json") == [ROW]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": "../../elsewhere"}, "line 1: id"),
        ({"id": ".."}, "a name without folders"),
        ({"id": "a\x1bb"}, "a name without folders"),
        ({"id": 3}, "line 1: id"),
        ({"val_top1": "71"}, "val_top1"),
        ({"val_top1": 1e9}, "val_top1"),
        ({"arch": "x"}, "arch"),
    ],
)
def test_a_network_that_is_none(tmp_path, change, message):
    (tmp_path / "n.jsonl").write_text(json.dumps(NETWORK | change))
    with pytest.raises(BadInput, match=message) as caught:
        records.trained(tmp_path / "n.jsonl")
    assert str(caught.value).endswith("try: remove it; the same command makes it anew")


@pytest.mark.parametrize("text", ["[]", "3", "{}", "{", '{"measured_ms": "fast"}', '{"measured_ms": 1e400}'])
def test_a_validation_that_is_none(tmp_path, text):
    (tmp_path / "e.json").write_text(text)
    with pytest.raises(BadInput, match=r"e\.json"):
        records.validated(tmp_path / "e.json")


@pytest.mark.parametrize("text", ["[]", "3", "{}", '{"networks": {}}', '{"networks": [3]}', '{"networks": [{}]}'])
def test_a_comparison_that_is_none(tmp_path, text):
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(BadInput, match=r"c\.json"):
        records.compared(tmp_path / "c.json")
