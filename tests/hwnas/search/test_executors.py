"""Executors: whatever evaluates, and whatever dies meanwhile, the archive is the one that a single process makes."""

import json
import re
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

import hwnas
from hwnas.search import executors
from hwnas.search.config_files import parse, to_toml
from hwnas.search.driver import search
from hwnas.search.executors import ExecutorSettings
from hwnas.search.processes import Processes
from hwnas.search.run import create_run, locked, resume_run
from profilers.errors import BadInput, EngineUnavailable, MeasurementFailed
from tests.hwnas.search.test_users_code import EXPECTED, OWN
from tests.hwnas.searching import CONFIG, SPACE, contents, genes

ROOT = Path(__file__).resolve().parents[3]
SOURCE = """
import os, pathlib, signal, time
HERE = pathlib.Path(__file__).parent

def top1(arch):
    print("a source may print what it likes")
    size = sum(k * e for k, e in zip(arch["ks"], arch["e"])) + 4 * arch["r"]
    if (HERE / "slow").exists():
        time.sleep(0.1)
    if (HERE / "nodes").exists():
        import ray
        (HERE / "nodes" / ray.get_runtime_context().get_node_id()).touch()
        end = time.monotonic() + 300  # a node that starts late is waited for, so that both have work
        while len(list((HERE / "nodes").iterdir())) < 2 and time.monotonic() < end:
            time.sleep(0.05)
    if (HERE / "fatal").exists() and size % 5 == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    if (HERE / "once").exists() and size % 3 == 0:
        (HERE / "once").unlink()
        os._exit(7)
    if size % 7 == 0:
        raise RuntimeError("out of memory")
    return 99.0 - 900.0 / (size + 10.0)

def count(arch):
    with open(HERE / "asked", "a") as file:
        file.write(f"{os.getpid()}\\n")
    return top1(arch)
"""


@pytest.fixture
def config(tmp_path):
    module = f"source_{uuid.uuid4().hex}"  # Python, and so a worker of Ray's, keeps a module by its name
    (tmp_path / f"{module}.py").write_text(SOURCE)
    return replace(CONFIG, accuracy=f"python:{tmp_path}/{module}:top1")


def using(config, **settings):
    return replace(config, executor=ExecutorSettings(**settings))


def started(config):
    return executors.start(config.source(), config.executor)


def run(folder, config):
    with started(config) as executor, create_run(folder, config) as made:
        search(made, executor)
        return contents(made)


def answers(config, n=12):
    archs = SPACE.decode(genes(n))
    with started(config) as executor:
        found = sorted(executor.evaluate(archs), key=lambda o: o.index)
    assert [o.index for o in found] == list(range(n))
    return [(o.top1, o.error) for o in found]


def asynchronous(config):
    return replace(config, search=replace(config.search, asynchronous=True))


def everything(found):
    rows, steps, _ = found
    assert len({row["id"] for row in rows}) == len(rows) == CONFIG.search.evaluations
    assert {row["status"] for row in rows} == {"ok", "failed"} and [s["evaluations"] for s in steps] == [16, 20, 24, 28]


class TestProcesses:
    @pytest.mark.slow
    def test_the_archive_does_not_depend_on_the_number_of_workers(self, config, tmp_path):
        (tmp_path / "once").touch()
        three = run(tmp_path / "three", using(config, workers=3))
        assert not (tmp_path / "once").exists()  # a worker died of it, was replaced, and nobody can tell
        assert three == run(tmp_path / "one", using(config, kind="serial")) == run(tmp_path / "own", config)
        assert {row["status"] for row in three[0]} == {"ok", "failed"}

    @pytest.mark.slow
    def test_a_network_that_kills_every_worker_is_a_failure(self, config, tmp_path):
        (tmp_path / "fatal").touch()
        found = answers(using(config, workers=2, retries=1), 20)
        dead = [error for top1, error in found if error and "died" in error]
        assert dead and all("exit code -9), tried 2 times" in error for error in dead)
        (tmp_path / "fatal").unlink()
        alive = answers(config, 20)
        assert [a for a, b in zip(found, alive, strict=True) if a != b] == [(None, error) for error in dead]

    def test_each_worker_opens_its_source_once_and_all_work(self, config, tmp_path):
        (tmp_path / "slow").touch()
        counted = using(replace(config, accuracy=config.accuracy.replace(":top1", ":count")), workers=2)
        answers(counted)
        asked = (tmp_path / "asked").read_text().split()
        assert len(asked) == 12 and len(set(asked)) == 2

    @pytest.mark.slow
    def test_free_workers_are_served_at_once(self, config, tmp_path):
        everything(run(tmp_path / "r", asynchronous(using(config, workers=2))))

    @pytest.mark.slow
    def test_a_source_that_cannot_be_opened_is_the_users_error(self, config, tmp_path):
        with pytest.raises(BadInput, match="cannot be imported"):
            started(using(replace(config, accuracy="python:/nowhere/x:y"), workers=2))
        (tmp_path / "dies.py").write_text("import os\nos._exit(3)\n")
        with pytest.raises(MeasurementFailed, match="exit code 3"):
            started(using(replace(config, accuracy=f"python:{tmp_path}/dies:y"), workers=2))

    @pytest.mark.slow
    def test_workers_end_with_their_executor_and_with_a_killed_search(self, config, tmp_path):
        with Processes.start(config.source(), ExecutorSettings(workers=2)) as executor:
            pids = [seat.pid for seat in executor._seats]
            assert all(Path(f"/proc/{pid}").exists() for pid in pids)
        assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
        code = (
            "import sys, time\nfrom hwnas.search.processes import *\n"
            "e = Processes.start(sys.argv[1], ExecutorSettings(workers=2))\n"
            "print(*[seat.pid for seat in e._seats], flush=True)\ntime.sleep(60)\n"
        )
        child = subprocess.Popen(
            [sys.executable, "-c", code, config.source()], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        pids = child.stdout.readline().split()
        child.kill()
        child.wait()
        assert len(pids) == 2 and wait_for(lambda: not any(running(pid) for pid in pids))

    @pytest.mark.slow
    def test_resumed_with_another_number_of_workers(self, config, tmp_path):
        whole = run(tmp_path / "whole", config)
        with started(config) as executor, create_run(tmp_path / "r", config) as made:
            with pytest.raises(Interrupted):
                search(made, StopsAfter(executor, 19))
            assert len(made.archive.evaluations()) == 19
        other = using(config, workers=2)
        with locked(tmp_path / "r"), started(other) as executor, resume_run(tmp_path / "r", other) as made:
            search(made, executor)
            assert contents(made) == whole


class Interrupted(Exception):
    pass


class StopsAfter(executors.Executor):
    """Gives outcomes in reverse order, and no more than so many."""

    def __init__(self, executor, rows):
        self.executor, self.rows = executor, rows

    @classmethod
    def start(cls, source, settings):
        raise NotImplementedError

    def evaluate(self, archs):
        for outcome in reversed(list(self.executor.evaluate(archs))):
            if self.rows == 0:
                raise Interrupted
            self.rows -= 1
            yield outcome


def running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not (good := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return good


class TestSettings:
    def test_a_run_does_not_say_where_it_was_evaluated(self, config):
        assert "executor" not in to_toml(using(config, workers=4, resources={"jetson": 1.0}))

    @pytest.mark.parametrize(
        ("section", "message"),
        [({"kind": "rai"}, "try: ray"), ({"kind": "serial", "workers": 2}, "workers of processes"),
         ({"workers": 0}, "1 to 1024"), ({"retries": -1}, "0 to 100"), ({"num_gpus": float("nan")}, "finite number"),
         ({"resources": {"jetson": -1.0}}, "0 or more"), ({"wokers": 2}, "workers")],
    )  # fmt: skip
    def test_what_does_not_fit(self, section, message):
        data = {"space": "tiny", "accuracy": "python:x:y", "executor": section}
        with pytest.raises(BadInput, match=message):
            parse(data, Path(), "c.toml")

    def test_ray_is_optional(self, config, monkeypatch):
        monkeypatch.setitem(sys.modules, "ray", None)
        with pytest.raises(EngineUnavailable, match="hwnas\\[ray\\]"):
            started(using(config, kind="ray"))


@pytest.fixture(scope="module")
def cluster():
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'hwnas[ray]'")
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "resources": {"fast": 1}})
    ray.init(address=made.address, log_to_driver=False, logging_level="error")
    yield made
    ray.shutdown()
    made.shutdown()


class TestRay:
    def test_a_node_is_killed_and_the_archive_is_the_same(self, cluster, config, tmp_path):
        second = cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        one = run(tmp_path / "one", using(config, kind="serial"))
        (tmp_path / "slow").touch()
        (tmp_path / "nodes").mkdir()
        killer = threading.Thread(
            target=kill_after_rows, args=(cluster, second, tmp_path / "many" / "archive.sqlite", 6)
        )
        killer.start()
        many = run(tmp_path / "many", using(config, kind="ray"))
        killer.join()
        assert many == one and len(many[0]) == CONFIG.search.evaluations
        assert len(list((tmp_path / "nodes").iterdir())) == 2  # both had worked

    def test_a_network_that_kills_every_worker_is_a_failure(self, cluster, config, tmp_path):
        (tmp_path / "fatal").touch()
        found = answers(using(config, kind="ray", retries=1), 6)
        dead = [error for top1, error in found if error and "tried 2 times" in error]
        assert len(dead) == sum(size(arch) % 5 == 0 for arch in SPACE.decode(genes(6))) > 0
        assert sum(top1 is not None for top1, _ in found) > 0

    def test_what_a_module_does_ends_a_task_and_not_the_search(self, cluster, tmp_path):
        name, archs = f"own_{uuid.uuid4().hex}", SPACE.decode(genes(len(EXPECTED) + 1))
        wishes = {json.dumps(arch.to_json()): wish for arch, wish in zip(archs, [*EXPECTED, "prints"], strict=True)}
        (tmp_path / f"{name}.py").write_text(OWN)
        (tmp_path / "wishes.json").write_text(json.dumps(wishes))
        limited = replace(CONFIG, accuracy=f"python:{tmp_path}/{name}:top1", evaluate={"timeout": 4})
        *failed, fine = answers(using(limited, kind="ray", retries=0), len(archs))
        said = dict(zip(EXPECTED, (error for _, error in failed), strict=True))
        for wish in ("leaves", "crashes"):
            assert said.pop(wish).startswith("WorkerCrashedError: ")
        assert said == {wish: EXPECTED[wish].replace("1 s", "4 s") for wish in ("exits", "hangs", "interrupts")}
        assert fine == (70.0, None)

    def test_free_workers_are_served_at_once(self, cluster, config, tmp_path):
        everything(run(tmp_path / "r", asynchronous(using(config, kind="ray", num_cpus=0.5))))

    def test_custom_resources(self, cluster, config):
        assert answers(using(config, kind="ray", resources={"fast": 0.5}), 3) == answers(config, 3)
        with pytest.raises(BadInput, match=r"no node of the cluster has .*jetson"):
            started(using(config, kind="ray", resources={"jetson": 1.0}))

    def test_a_source_that_a_node_cannot_open_stops_the_search(self, cluster, config):
        missing = using(replace(config, accuracy="python:/nowhere/x:y"), kind="ray")
        with started(missing) as executor, pytest.raises(BadInput, match="cannot be imported"):
            list(executor.evaluate(SPACE.decode(genes(2))))

    def test_a_table_is_a_task(self, cluster, tmp_path, capsys):
        """As docs/devices.md has it, of a smaller space; a table that cannot be made does not disturb the others."""
        (block,) = re.findall(r"```python\n([^`]*ray\.remote[^`]*)```", (ROOT / "docs/devices.md").read_text())
        shorter = {
            '"onnxruntime"': '"fake"',
            '"mbv3"': '"tiny"',
            "[160, 192, 224]": "[12], budget_seconds=1",
            "num_cpus=4": "num_cpus=0.4",
            "resources={label: 1}": "resources={'fast': 0.4}",
            "ray.init()": "",
            "/shared": str(tmp_path),
        }
        for long, short in shorter.items():
            assert long in block
            block = block.replace(long, short)
        (tmp_path / "jetson.json").write_text("a list for shopping")
        exec(block, {"__name__": "__main__"})  # as a script: what is defined in it travels to the nodes
        said = capsys.readouterr().out
        assert (
            "pi: complete" in said
            and "jetson: no table, " in said
            and "jetson.json exists and is something else" in said
        )
        assert hwnas.LatencyTable(tmp_path / "pi.json").status == "measured"


def size(arch):
    return sum(k * e for k, e in zip(arch.ks, arch.e, strict=True)) + 4 * arch.r


def kill_after_rows(cluster, node, path, rows):
    import sqlite3

    def enough():
        try:
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
                return connection.execute("SELECT COUNT(*) FROM evaluations").fetchone()[0] >= rows
        except sqlite3.OperationalError:
            return False

    assert wait_for(enough, 300)
    cluster.remove_node(node, allow_graceful=False)
