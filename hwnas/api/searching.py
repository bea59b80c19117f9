"""Searching: from a configuration, with a function of one's own, or by ask and tell."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from rich.table import Table

from hwnas import accuracy as sources
from hwnas.accuracy import given
from hwnas.api.display import Printable, facts
from hwnas.api.networks import Network
from hwnas.api.runs import Run
from hwnas.api.spaces import Resolutions, pixels
from hwnas.api.tables import LatencyTable
from hwnas.search import config as configs
from hwnas.search import driver, executors
from hwnas.search import run as runs
from hwnas.search.ask_tell import AskTell
from hwnas.search.config import Config
from hwnas.search.own_objectives import GIVEN, OwnObjective
from hwnas.space import SearchSpace
from hwnas.space.configured import spelled

Tables = Mapping[str, LatencyTable | Path | str]
Say = Callable[[str], None]
OUT = Path("runs")


def search(
    space: str | SearchSpace = "mbv3",
    accuracy: str | Callable[..., Any] | Any = sources.GIVEN,
    *,
    objectives: Sequence[str | OwnObjective] = ("top1", "params", "madds"),
    tables: Tables | None = None,
    budget: Mapping[str, float] | None = None,
    initial: int = 100,
    iterations: int = 30,
    per_iteration: int = 8,
    out: Path | str = OUT / "search",
    seed: int = 1,
    resolutions: Resolutions = None,
    classes: int | None = None,
    evaluate: Mapping[str, Any] | None = None,
    surrogate: str = "auto",
    workers: int = 1,
    init_from: Path | str | None = None,
    settings: Mapping[str, Any] | None = None,
    resume: bool = True,
) -> Run:
    """Search networks: accuracy against the other objectives.

    Args:
        space: a name, a path to a space's TOML, `python:module:NAME`, or a `SearchSpace`.
        accuracy: a function of an architecture {"ks", "e", "d", "r"} that returns top-1 in percent (what it raises, or
            NaN, becomes the failure of that one network), or of a list of them where `evaluate={"batch": 8}`; an object
            with `evaluate`; or a source as a text: "supernet:CKPT", "table:F.csv", …
        objectives: what is searched: "top1" and others of params, madds, weight_bytes, peak_memory, the names in
            `tables`, and own ones: `OwnObjective`s, or names of sections `objective` in `settings`.
        tables: latency tables (objects or files) by the name of their objective.
        budget: the most that an objective may be, in its unit; the least for top1, in percent.
        initial: networks that are evaluated before the first iteration.
        iterations: rounds of fitting the surrogate and evaluating what it proposes.
        per_iteration: networks that are evaluated in each round.
        out: the run's folder. A run of the same search that is there is continued.
        seed: of everything that is drawn.
        resolutions: other ones than the space's.
        classes: another number of classes than the space's.
        evaluate: options of the accuracy source.
        surrogate: "auto" (Adaptive Switching), gp, rbf, cart, mlp or xgb.
        workers: processes that evaluate; for a source that is a text.
        init_from: folder of a run whose front says how the initial networks are drawn.
        settings: whatever else a configuration's file may say, by section and key, as in
            {"search": {"strategy": "random"}, "objective": {"energy_mj": {"source": "layers:power:millijoule"}}}.
        resume: False to refuse a folder that holds a run.

    Raises:
        BadInput: anything that does not fit, before anything is written.

    Example:
        >>> import hwnas
        >>> run = hwnas.search("tiny", lambda arch: 90.0 + arch["r"] / 10, objectives=["top1", "params"],
        ...                    initial=8, iterations=1, per_iteration=2, out="runs/doc-search")
        >>> len(run.networks)
        10
    """
    told = {name: value for name, value in (evaluate or {}).items() if name in ("batch", "unit", "images")}
    source = None if isinstance(accuracy, str) else given.of(accuracy, **told)
    wanted = {
        "space": space, "accuracy": accuracy if isinstance(accuracy, str) else sources.GIVEN, "objectives": objectives,
        "budget": budget, "seed": seed, "resolutions": resolutions, "classes": classes, "evaluate": evaluate,
        "init_from": init_from, "workers": workers, "settings": settings, "surrogate": surrogate,
        "initial": initial, "iterations": iterations, "per_iteration": per_iteration,
    }  # fmt: skip
    with _configured(tables or {}, wanted) as config:
        return run_config(config, Path(out), resume=resume, source=source, own=_own(objectives))


def search_config(
    path: Path | str, out: Path | str | None = None, *, overrides: Sequence[str] = (), resume: bool = True
) -> Run:
    r"""Search as a configuration's file says.

    Args:
        path: TOML, see the README.
        out: the run's folder, by default runs/NAME of the file.
        overrides: as in "search.iterations=10".
        resume: False to refuse a folder that holds a run.

    Raises:
        BadInput: anything in the file that does not fit. FileProblem: it cannot be read.

    Example:
        >>> from pathlib import Path
        >>> import hwnas
        >>> network = hwnas.Networks.sample("tiny", n=1)[0]
        >>> _ = Path("mine.py").write_text("def top1(arch): return 60 + arch['r']")
        >>> _ = Path("mine.toml").write_text(
        ...     'space = "tiny"\naccuracy = "python:mine:top1"\n[search]\ninitial = 8\niterations = 0')
        >>> len(hwnas.search_config("mine.toml").networks)
        8
    """
    config = configs.load(Path(path), overrides)
    return run_config(config, OUT / Path(path).stem if out is None else Path(out), resume=resume)


def run_config(
    config: Config,
    folder: Path,
    *,
    resume: bool = True,
    source: Any = None,
    own: Mapping[str, OwnObjective] | None = None,
    say: Say = lambda line: None,
) -> Run:
    r"""Search as a configuration says, with `source` in place of its accuracy where it is given by the program.

    `own` are objectives that the program gives, by name.
    `say` is called with what a user should know before the search begins, a line each.
    """
    open_run = runs.resume_run if resume and (folder / runs.CONFIG).exists() else runs.create_run
    runs.check(folder, config, own)  # what does not fit is said before anything is written
    with ExitStack() as stack:
        started = source or stack.enter_context(executors.start(config.source(folder), config.executor))
        stack.enter_context(runs.locked(folder))
        run = stack.enter_context(open_run(folder, config, own))
        for line in remarks(run):
            say(line)
        ended = driver.search(run, started)
    made = Run(folder)
    made.ended_early = ended
    return made


def remarks(run: runs.Run) -> list[str]:
    """What is to be known of a run's objectives and tables."""
    notes = [f"{o.name}: {o.note}" for o in run.problem.objectives.values() if o.note]
    return notes + [f"warning: {name}: {line}" for name, found in run.tables.items() for line in found.remarks]


class Search(Printable):
    """A search that asks and is told; opened by `open_search`."""

    def __init__(self, loop: AskTell) -> None:
        self._run, self._loop = loop.run, loop

    @property
    def folder(self) -> Path:
        """The run's."""
        return self._run.folder

    @property
    def finished(self) -> bool:
        """Whether there is nothing more to ask."""
        return self._loop.finished

    def ask(self, n: int = 1) -> list[Network]:
        """At most `n` networks to evaluate next; none when the search is finished.

        Those that were asked for and not told of come again when nothing else is left of their iteration.
        """
        return [Network.of(self._run.space, arch) for arch in self._loop.ask(n)]

    def tell(
        self, network: Network | str, top1: float | None = None, *, error: str = "", images: int | None = None
    ) -> None:
        """Record how accurate a network is, at once and for good.

        Args:
            network: one that was asked for, or its id.
            top1: percent.
            error: why it could not be evaluated, in place of `top1`.
            images: on how many images `top1` was found, for its interval.

        Raises:
            BadInput: a network that was not asked for, or was told of before; a `top1` that may be a fraction.
        """
        self._loop.tell(network, top1, error=error or None, images=images)

    def table(self) -> Table:
        """See `Printable`."""
        rows = [("evaluated", str(len(self._run.archive.evaluations()))), ("finished", str(self.finished))]
        return facts(f"Search in {self.folder}", rows)


@contextmanager
def open_search(
    space: str | SearchSpace = "mbv3",
    *,
    objectives: Sequence[str | OwnObjective] = ("top1", "params", "madds"),
    tables: Tables | None = None,
    budget: Mapping[str, float] | None = None,
    initial: int = 100,
    iterations: int = 30,
    per_iteration: int = 8,
    out: Path | str = OUT / "search",
    seed: int = 1,
    resolutions: Resolutions = None,
    classes: int | None = None,
    evaluate: Mapping[str, Any] | None = None,
    surrogate: str = "auto",
    init_from: Path | str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Iterator[Search]:
    """A search by ask and tell: it proposes networks, the program says how accurate they are, in its own time.

    What is told is kept at once; the same call continues what was interrupted, and the run becomes the one that
    `search` would have made. Arguments as of `search`; `evaluate={"unit": "fraction"}` where top-1 is from 0 to 1.

    Example:
        >>> import hwnas
        >>> with hwnas.open_search("tiny", objectives=["top1", "params"], initial=6, iterations=1, per_iteration=2,
        ...                        out="runs/doc-asked") as search:
        ...     while networks := search.ask(4):
        ...         for network in networks:
        ...             search.tell(network, top1=90.0 + network.to_json()["r"] / 10)
        >>> len(hwnas.Run("runs/doc-asked").networks)
        8
    """
    wanted = {
        "space": space, "accuracy": sources.GIVEN, "objectives": objectives, "budget": budget, "seed": seed,
        "resolutions": resolutions, "classes": classes, "evaluate": evaluate, "init_from": init_from,
        "settings": settings, "surrogate": surrogate, "initial": initial, "iterations": iterations,
        "per_iteration": per_iteration,
    }  # fmt: skip
    folder = Path(out)
    with _configured(tables or {}, wanted) as config:
        runs.check(folder, config, own := _own(objectives))
        with AskTell.open(folder, config, given=own) as loop:
            yield Search(loop)


_SETTINGS = ("surrogate", "initial", "iterations", "per_iteration")


@contextmanager
def _configured(tables: Tables, wanted: dict[str, Any]) -> Iterator[Config]:
    """The configuration that keyword arguments describe; tables without a file have one while it is open."""
    values = _known(wanted)
    more = {name: dict(section) for name, section in values.pop("settings", {}).items()}
    if own := _own(values["objectives"]):
        said = {name: {"source": GIVEN, "unit": o.unit, "direction": o.direction} for name, o in own.items()}
        more["objective"] = {**said, **more.get("objective", {})}
    more["search"] = {**{name: values.pop(name) for name in _SETTINGS}, **more.get("search", {})}
    if (workers := values.pop("workers", 1)) > 1:
        more["executor"] = {"workers": workers, **more.get("executor", {})}
    if isinstance(space := values["space"], SearchSpace):
        values = {"resolutions": space.resolutions, "classes": space.classes, **values, **_known(spelled(space))}
    if "resolutions" in values:
        values["resolutions"] = list(pixels(values["resolutions"]) or ())
    if "init_from" in values:
        values["init_from"] = str(Path(values["init_from"]).absolute())
    with tempfile.TemporaryDirectory(prefix="hwnas-") as place:
        files = {name: str(_file(name, value, Path(place))) for name, value in tables.items()}
        data = {**_plain(values), "tables": files, **more}
        yield configs.parse(data, Path.cwd(), "search")


def _own(objectives: Sequence[str | OwnObjective]) -> dict[str, OwnObjective]:
    return {o.name: o for o in objectives if isinstance(o, OwnObjective)}


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    lists = {"objectives": [getattr(o, "name", o) for o in values["objectives"]]}
    return {**values, **lists, **{k: dict(values[k]) for k in ("budget", "evaluate") if k in values}}


def _file(name: str, given: LatencyTable | Path | str, folder: Path) -> Path:
    """Of a table: its own where the object is as it lies there."""
    if not isinstance(given, LatencyTable):
        return Path(given).absolute()
    if given.path is not None and given.path.is_file() and LatencyTable(given.path).data == given.data:
        return given.path.absolute()
    import lut

    lut.save(given.data, folder / f"{name}.json")
    return folder / f"{name}.json"
