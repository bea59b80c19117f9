"""The archive: rows survive anything, foreign files are refused in one line, exports hold every evaluation."""

import csv
import io
import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from hwnas.search import archive as archives
from hwnas.search import archive_tables as tables
from hwnas.search.archive import Evaluation
from hwnas.search.archive_formats import export
from hwnas.search.clearing import clear
from hwnas.search.driver import search
from hwnas.search.run import open_run, resume_run
from hwnas.space import get_space
from profilers.errors import BadInput, FileProblem, HwnasError
from tests.hwnas.searching import CONFIG, SPACE, Formula, contents, genes, run_search


def row(number=0, top1=90.0, iteration=0, seed=0):
    g = genes(1, seed)
    (arch,) = SPACE.decode(g)
    status, error = ("ok", None) if top1 is not None else ("failed", "OSError: gone")
    return Evaluation(number, iteration, status, arch, tuple(g[0].tolist()), {"top1": top1, "params": 5.0}, error, 0.5)


FIGURES = {"evaluations": 0, "failed": 0, "hypervolume": 0.5, "seconds_search": 1.0, "seconds_evaluate": 2.0}


@pytest.fixture
def archive(tmp_path):
    with archives.create(tmp_path / "archive.sqlite", {"space": {"name": "tiny"}}) as opened:
        yield opened


def edited(path, *statements):
    with closing(sqlite3.connect(path)) as plain:
        for statement in statements:
            plain.execute(statement)
        plain.commit()


def as_schema(path, schema):
    """The archive as an earlier version made it."""
    with closing(sqlite3.connect(path)) as plain:
        for name, statement in tables.statements(schema).items():
            names = ", ".join(column.split()[0] for column in tables.columns(name, schema))
            rows = plain.execute(f"SELECT {names} FROM {name}").fetchall()
            plain.execute(f"DROP TABLE {name}")
            plain.execute(statement)
            plain.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * (names.count(',') + 1))})", rows)
        for name in set(tables.NAMES) - set(tables.names(schema)):
            plain.execute(f"DROP TABLE {name}")
        plain.execute(f"PRAGMA user_version = {schema}")
        plain.commit()


class TestRows:
    def test_come_back_as_they_were(self, archive):
        rows = [row(0), row(1, None, 1, seed=1)]
        for e in reversed(rows):
            archive.add_evaluation(e)
        with archives.open_archive(archive.path) as other:
            assert other.evaluations() == rows
            assert other.meta == {"space": {"name": "tiny"}}

    def test_a_failure_is_no_score(self, archive):
        archive.add_evaluation(row(0, None))
        found = archives.history(archive.evaluations(), SPACE.n_genes)
        assert np.isnan(found.top1).all() and len(found.done) == 0

    def test_one_network_has_one_row(self, archive):
        archive.add_evaluation(row(0))
        with pytest.raises(BadInput, match="UNIQUE"):
            archive.add_evaluation(row(1))

    def test_not_a_number_is_never_written(self, archive):
        with pytest.raises(ValueError, match="JSON"):
            archive.add_evaluation(row(0, float("nan")))
        assert archive.evaluations() == []

    def test_proposals_are_numbered_over_the_run(self, archive):
        archive.add_proposal(0, genes(3), None, None, None, 0.1)
        archive.add_proposal(1, genes(2, 1), np.array([1.0, 2.0]), np.array([0.1, 0.2]), "gp", 0.2)
        second = archive.proposal(1)
        assert [p.number for p in second] == [3, 4] and [p.predicted for p in second] == [1.0, 2.0]
        assert [p.genes for p in second] == [tuple(g) for g in genes(2, 1).tolist()]
        assert archive.proposal_info(1) == ("gp", 0.2) and archive.proposal(2) == []
        assert [p.predicted for p in archive.proposal(0)] == [None] * 3


class TestNoSharedMemory:
    """As on many networks' file systems: SQLite cannot have the file by which processes share its WAL."""

    @pytest.fixture
    def folder(self, tmp_path):
        (tmp_path / "net" / "archive.sqlite-shm").mkdir(parents=True)
        return tmp_path / "net"

    def test_a_new_archive_has_another_journal_and_says_so(self, folder, capsys):
        with archives.create(folder / "archive.sqlite", {"x": 1}) as made:
            made.add_iteration(0, FIGURES)
            with archives.open_archive(folder / "archive.sqlite") as beside:
                assert beside.iterations() == [{"iteration": 0, **FIGURES}] and beside.meta == {"x": 1}
        assert f"{folder} is on a file system on which SQLite cannot have a WAL" in capsys.readouterr().err

    def test_one_with_an_unfinished_wal_is_read_and_continued(self, folder, tmp_path):
        with archives.create(tmp_path / "archive.sqlite", {}) as made:
            made.add_iteration(0, FIGURES)
            for name in ("archive.sqlite", "archive.sqlite-wal"):
                shutil.copyfile(tmp_path / name, folder / name)
        with archives.open_archive(folder / "archive.sqlite") as read:
            assert len(read.iterations()) == 1
        with archives.open_archive(folder / "archive.sqlite", write=True) as again:
            again.add_iteration(1, FIGURES)
        with archives.open_archive(folder / "archive.sqlite") as read:
            assert len(read.iterations()) == 2
        assert not (folder / "archive.sqlite-wal").exists()


class TestFiles:
    def test_an_archive_is_not_overwritten(self, archive):
        with pytest.raises(BadInput, match="--fresh"):
            archives.create(archive.path, {})

    def test_missing(self, tmp_path):
        with pytest.raises(FileProblem, match="hwnas search"):
            archives.open_archive(tmp_path / "none.sqlite")

    def test_foreign_files(self, tmp_path):
        text, other, newer = (tmp_path / n for n in ("text", "other", "newer"))
        text.write_text("not a database, but long enough to look like a file " * 50)
        sqlite3.connect(other).execute("CREATE TABLE x (y)").connection.close()
        archives.create(newer, {}).close()
        with sqlite3.connect(newer) as connection:
            connection.execute("PRAGMA user_version = 99")
        for path, message in ((text, "damaged or not"), (other, "not an archive of hwnas"), (newer, "schema 99")):
            with pytest.raises(BadInput, match=message):
                archives.open_archive(path)

    def test_damage_is_one_clear_error(self, tmp_path):
        """Truncated anywhere or overwritten anywhere: opened whole, or refused; never a half-read archive."""
        path = tmp_path / "a.sqlite"
        with archives.create(path, {}) as archive:
            for i in range(100):
                archive.add_evaluation(row(i, seed=i))
        data, rng = path.read_bytes(), np.random.default_rng(0)
        refused = 0
        for i in range(20):
            bad = bytearray(data)
            at = int(rng.integers(100, len(data) - 200))
            bad = bad[:at] if i % 2 else bad[:at] + bytes(rng.integers(0, 256, 200, np.uint8)) + bad[at + 200 :]
            path.write_bytes(bad)
            try:
                with archives.open_archive(path) as opened:
                    opened.evaluations()
            except HwnasError as error:
                refused += 1
                assert "\n" not in str(error)
        assert refused >= 10

    def test_a_full_disk_is_one_clear_error_and_loses_nothing(self, archive):
        archive.add_evaluation(row(0))
        pages = archive._connection.execute("PRAGMA page_count").fetchone()[0]
        archive._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(FileProblem, match="free some space"):
            for i in range(1, 200):
                archive.add_evaluation(row(i, seed=i))
        assert archive.evaluations()[0] == row(0)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    broken = frozenset({SPACE.extremes()[0].id})
    with run_search(tmp_path_factory.mktemp("run") / "r", Formula(broken), strategy="random") as run:
        yield run


class TestExport:
    def test_jsonl(self, run):
        rows = [json.loads(line) for line in export(run.archive.evaluations(), "jsonl", SPACE).splitlines()]
        assert len(rows) == run.config.search.evaluations and rows[0]["status"] == "failed"
        assert rows[0]["objectives"]["top1"] is None and "out of memory" in rows[0]["error"]
        assert set(rows[1]) >= {"id", "iteration", "status", "arch", "objectives"}
        assert all((row["space"], row["classes"]) == ("tiny", 10) for row in rows)
        for row in rows:
            arch = SPACE.parse(row["arch"])
            assert row["id"] == arch.id
            assert row["objectives"]["params"] == sum(layer.params for layer in SPACE.layers(arch))
        assert [row["iteration"] for row in rows] == sorted(row["iteration"] for row in rows)

    def test_csv_and_parquet_hold_the_same(self, run):
        rows = run.archive.evaluations()
        flat = list(csv.DictReader(io.StringIO(export(rows, "csv", SPACE).decode())))
        parquet = pytest.importorskip("pyarrow.parquet")
        table = parquet.read_table(io.BytesIO(export(rows, "parquet", SPACE))).to_pylist()
        assert [r["id"] for r in flat] == [r["id"] for r in table] == [e.arch.id for e in rows]
        assert [float(r["top1"] or "nan") for r in flat[1:]] == [r["top1"] for r in table[1:]]
        assert table[0]["top1"] is None and json.loads(table[3]["arch"]) == rows[3].arch.to_json()

    def test_other_formats(self, run):
        with pytest.raises(BadInput, match="jsonl, csv, parquet"):
            export([], "xml", SPACE)


class TestImages:
    def test_the_interval_is_wilsons_and_in_every_export(self, archive):
        from scipy.stats import binomtest

        archive.add_evaluation(replace(row(0, 100 * 44 / 48), images=48))
        archive.add_evaluation(row(1, 90.0, seed=1))
        known, unknown = (json.loads(line) for line in export(archive.evaluations(), "jsonl", SPACE).splitlines())
        expected = binomtest(44, 48).proportion_ci(0.95, method="wilson")
        assert known["images"] == 48 and unknown["images"] is None and unknown["top1_low"] is None
        assert (known["top1_low"], known["top1_high"]) == pytest.approx((100 * expected.low, 100 * expected.high))
        first = next(csv.DictReader(io.StringIO(export(archive.evaluations(), "csv", SPACE).decode())))
        assert float(first["top1_low"]) == pytest.approx(100 * expected.low) and first["images"] == "48"

    @pytest.mark.parametrize("schema", [1, 2])
    def test_an_archive_made_before_is_read_and_continued(self, archive, schema):
        archive.add_evaluation(row(0))
        archive.close()
        as_schema(archive.path, schema)
        with archives.open_archive(archive.path, write=True) as old:
            assert old.evaluations() == [row(0)] and old.evaluations()[0].top1_interval is None
            assert not old.has_checksums
            old.upgrade()
            old.add_evaluation(row(1, seed=1))
            assert old.evaluations() == [row(0), row(1, seed=1)] and old.meta == {"space": {"name": "tiny"}}
        with archives.open_archive(archive.path) as new:
            assert len(new.evaluations()) == 2 and new.has_checksums
            new.upgrade()  # which changes nothing, and so may be read only

    def test_one_that_is_damaged_is_not_brought_up_to_date(self, archive):
        archive.add_evaluation(row(0))
        archive.close()
        as_schema(archive.path, 2)
        edited(archive.path, "UPDATE evaluations SET objectives = '[]'")
        with archives.open_archive(archive.path, write=True) as old:
            with pytest.raises(BadInput, match="objectives"):
                old.upgrade()
            assert not old.has_checksums


class TestChanged:
    """What was not written by a search is refused, in one line that names the row or the object."""

    @pytest.mark.parametrize(
        ("statement", "line"),
        [
            ("UPDATE evaluations SET seconds = 9", "a row of evaluations (0) was changed"),
            ("UPDATE evaluations SET objectives = '{\"top1\": 99.0}'", "a row of evaluations (0) was changed"),
            ("UPDATE proposals SET position = 7 WHERE position = 1", "a row of proposals (0) was changed"),
            ("UPDATE meta SET value = '1'", "a row of meta ('space') was changed"),
            ("UPDATE iterations SET figures = '{}'", "a row of iterations (0) was changed"),
            ("DELETE FROM evaluations", "it has 0 of 1 finished evaluations"),
            ("DELETE FROM proposals WHERE position = 1", "a proposal of iteration 0 is missing"),
            ("CREATE VIEW other AS SELECT 1", "holds a view 'other' that hwnas has not made"),
            ("CREATE TRIGGER t AFTER INSERT ON meta BEGIN DELETE FROM meta; END", "a trigger 't'"),
            ("CREATE INDEX i ON evaluations (seconds)", "a index 'i'"),
            ("ALTER TABLE meta ADD COLUMN more TEXT", "a table 'meta' that hwnas has not made"),
            ("DROP TABLE iterations", "it has no table iterations"),
        ],
    )
    def test_it_is_refused(self, archive, statement, line):
        archive.add_proposal(0, genes(3), None, None, None, 0.1)
        archive.add_evaluation(row(0))
        archive.add_iteration(0, FIGURES | {"evaluations": 1})
        archive.close()
        edited(archive.path, statement)
        with pytest.raises(BadInput) as refused, archives.open_archive(archive.path) as opened:
            assert opened.meta and opened.proposal(0) and opened.iterations() and opened.evaluations()
        assert line in str(refused.value) and "\n" not in str(refused.value)

    def test_a_view_that_never_ends_is_not_read(self, archive):
        archive.close()
        edited(
            archive.path,
            "DROP TABLE meta",
            "CREATE VIEW meta AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n",
        )
        with pytest.raises(BadInput, match="a view 'meta'"):
            archives.open_archive(archive.path)

    @pytest.mark.parametrize(
        ("column", "value", "line"),
        [
            ("objectives", '{"top1": NaN}', "not valid JSON"),
            ("objectives", '{"top1": 1e999}', "finite"),
            ("objectives", '{"params": 1.0}', "its objectives"),
            ("arch", "[" * 5000, "not valid JSON"),
            ("arch", '{"d": 1}', "is of no network"),
            ("genes", f"[{'9' * 5000}]", "not valid JSON"),
            ("genes", "[256]", "256"),
            ("status", "gone", "status"),
            ("id", "\x1b[31m", "id"),
            ("error", "gone", "is ok"),
        ],
    )
    def test_a_row_is_checked_as_a_whole(self, archive, column, value, line):
        """Although its checksum fits, as in an archive that somebody made."""
        archive.add_evaluation(row(0))
        names = [name.split()[0] for name in tables.columns("evaluations", tables.SCHEMA)]
        values = [value if n == column else old for n, old in zip(names, archive._raw("evaluations")[0], strict=True)]
        edited(archive.path, "DELETE FROM evaluations")
        archive._add("evaluations", [values])
        with pytest.raises(BadInput) as refused:
            archive.evaluations()
        assert line in str(refused.value) and "\n" not in str(refused.value) and "\x1b" not in str(refused.value)

    def test_a_network_is_of_the_runs_space_and_of_its_genes(self, archive):
        other = row(1, seed=1)
        archive.add_evaluation(replace(row(0), genes=other.genes))
        assert archive.evaluations()
        archive.expect(SPACE, ("top1",))
        with pytest.raises(BadInput, match="evaluation 0 is not that of its genes"):
            archive.evaluations()
        archive.expect(get_space("mbv3"), ("top1",))
        with pytest.raises(BadInput, match="no network of space mbv3"):
            archive.evaluations()

    def test_its_objectives_are_the_runs(self, archive):
        archive.add_evaluation(row(0))
        archive.expect(SPACE, ("top1", "madds"))
        with pytest.raises(BadInput, match="evaluation 0 has no madds"):
            archive.evaluations()

    def test_an_error_of_any_text_is_kept(self, archive):
        archive.add_evaluation(replace(row(0, None), error="a\0b \ud800 " + "x" * 20_000))
        (found,) = archive.evaluations()
        assert found.error.startswith("a\\0b \\ud800 x") and len(found.error) < 10_100


class TestOneStep:
    def test_what_fails_while_it_is_made_leaves_nothing(self, tmp_path, monkeypatch):
        def full(connection):
            raise sqlite3.OperationalError("database or disk is full")

        monkeypatch.setattr(tables, "make", full)
        with pytest.raises(FileProblem, match="disk is full"):
            archives.create(tmp_path / "run" / "archive.sqlite", {})
        assert list((tmp_path / "run").iterdir()) == []

    def test_what_cannot_be_written_to_once_it_is_made_is_one_line_and_whole(self, tmp_path, monkeypatch):
        def full(path):
            raise sqlite3.OperationalError("database or disk is full")

        with monkeypatch.context() as patch, pytest.raises(FileProblem, match="disk is full"):
            patch.setattr(archives, "writing", full)
            archives.create(tmp_path / "archive.sqlite", {"x": 1})
        with archives.open_archive(tmp_path / "archive.sqlite", write=True) as opened:
            assert opened.meta == {"x": 1}

    @pytest.mark.parametrize("data", [b"", "header"])
    def test_a_file_in_which_nothing_was_made_is_no_archive(self, tmp_path, data):
        """As earlier versions left it where they were killed while they made it."""
        with run_search(tmp_path / "run", initial=4, iterations=0) as run:
            expected = contents(run)
        path = tmp_path / "run" / "archive.sqlite"
        path.write_bytes(b"")
        if data:
            edited(path, "PRAGMA journal_mode = WAL", "CREATE TABLE x (y)", "DROP TABLE x")
            assert path.stat().st_size
        with resume_run(tmp_path / "run", run.config) as again:
            search(again, Formula())
            assert contents(again) == expected

    def test_it_can_be_begun_anew(self, tmp_path):
        run_search(tmp_path / "run", initial=4, iterations=0).archive.close()
        (tmp_path / "run" / "archive.sqlite").write_bytes(b"")
        clear(tmp_path / "run", CONFIG)
        assert not (tmp_path / "run" / "archive.sqlite").exists()

    def test_an_archive_beside_another_runs_configuration(self, tmp_path):
        with run_search(tmp_path / "run", initial=4, iterations=0) as run:
            config = run.config
        (tmp_path / "run" / "archive.sqlite").unlink()
        archives.create(tmp_path / "run" / "archive.sqlite", {"space": {"signature": "another"}}).close()
        with pytest.raises(BadInput, match=r"not of the space tiny of run\.toml beside it"):
            resume_run(tmp_path / "run", config)

    def test_one_without_checksums_says_so_once(self, tmp_path, capsys):
        run_search(tmp_path / "run", initial=4, iterations=0).archive.close()
        as_schema(tmp_path / "run" / "archive.sqlite", 2)
        for _ in range(2):
            with open_run(tmp_path / "run") as run:
                assert len(run.archive.evaluations()) == 4
        assert capsys.readouterr().err.count("its rows have no checksums") == 1
