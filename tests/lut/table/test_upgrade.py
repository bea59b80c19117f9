"""Tables and interrupted builds made before the renaming (5d376ee) are read, as what they are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hwnas.space import get_space
from lut import load, save
from lut.build.assembly import end_to_end_networks
from lut.build.records import MeasurementBatch
from lut.table.store import checksum
from lut.table.upgrade import upgrade_checkpoint, upgrade_table
from profilers.errors import TableError

OLD = Path(__file__).parent / "data" / "table_5d376ee.json"
OLD_NAMES = (
    "sentinel",
    "foreign",
    "shared",
    "refined",
    "other_work",
    "timed_by_cpu_clock",
    '"units"',
    '"busy"',
    '"load"',
)


@pytest.fixture
def content():
    return json.loads(OLD.read_text())["content"]


def test_an_old_table_is_read_with_todays_names(content):
    table = load(OLD)
    text = json.dumps([table.provenance, table.verify, table.observations])
    assert not [name for name in OLD_NAMES if name in text]
    old = content["provenance"]
    assert table.provenance["controls_ms"] == old["sentinels_ms"] and table.provenance["controls"] == old["sentinels"]
    assert table.provenance["contended_fraction"] == old["shared_core"] > 0
    assert table.provenance["reconciled"] == old["refined"]
    assert table.verify["background_load_cores"] == content["verify"]["other_work_cores"]
    assert {k: list(e) for k, e in table.entries.items()} == content["entries"]


def test_what_an_old_table_measured_is_read(content):
    batches = [MeasurementBatch.from_json(b, "old") for b in load(OLD).observations["batches"]]
    units = content["observations"]["units"]
    assert [b.controls_ms for b in batches] == [u["sentinels"] for u in units]
    assert {b.state for b in batches} == {"steady"} and "median" in batches[0].estimator
    space = get_space("tiny", [12])
    network = next(n for b in batches for n in b.networks)
    arch = space.parse(network.arch)
    assert network.measurement.id == f"{arch.id}-{network.classes}"  # as a table of today names it
    assert all(n.measurement.low == n.measurement.ms for n in end_to_end_networks(load(OLD)))


def test_an_old_table_that_is_saved_is_one_of_today(tmp_path):
    save(load(OLD), tmp_path / "new.json")
    assert load(tmp_path / "new.json") == load(OLD)
    assert json.loads((tmp_path / "new.json").read_text())["schema"] == 2


def test_units_of_the_first_tables_lack_later_fields(content):
    for unit in content["observations"]["units"]:
        del unit["nodes"], unit["shared"]
        for network in unit["networks"]:
            del network["classes"]
    for batch in upgrade_table(content)["observations"]["batches"]:
        read = MeasurementBatch.from_json(batch, "old")
        assert (read.nodes, read.contended_fraction) == (1.0, 0.0)
        assert all(n.classes is None for n in read.networks)


def test_an_interrupted_build_is_read(content):
    old = {
        "settings": {"method": "in-context", "seed": 0, "sentinels": 3},
        "fingerprint": content["fingerprint"],
        "units": content["observations"]["units"],
    }
    new = upgrade_checkpoint(old)
    assert new["settings"] == {"method": "in-context", "seed": 0, "controls": 3}
    batches = [MeasurementBatch.from_json(b, "old") for b in new["batches"]]
    assert len(batches) == len(old["units"]) and {b.state for b in batches} == {"steady"}


@pytest.mark.parametrize("broken", [None, [], 3, {"units": 3}, {"units": [3, {"networks": 1}]}])
def test_what_is_not_as_it_must_be_stays_for_the_reader_to_refuse(content, broken, tmp_path):
    upgrade_table({**content, "observations": broken, "provenance": broken, "verify": broken, "interval": broken})
    content["observations"] = broken
    document = {"format": "hwnas-latency-table", "schema": 1, "checksum": checksum(content), "content": content}
    (tmp_path / "t.json").write_text(json.dumps(document))
    if isinstance(broken, dict):
        with pytest.raises(TableError):
            end_to_end_networks(load(tmp_path / "t.json"))
    else:
        with pytest.raises(TableError, match="observations"):
            load(tmp_path / "t.json")


def test_predictions_of_an_old_table_are_what_they_were():
    """Of the schema only: the space's identity is another matter."""
    table, space = load(OLD), get_space("tiny", [12])
    genes = space.sample(5, np.random.default_rng(0))
    sums = [sum(table.entries[layer.key].ms for layer in space.layers(arch)) for arch in space.decode(genes)]
    assert table.bind(space).sums(genes) == pytest.approx(sums)
