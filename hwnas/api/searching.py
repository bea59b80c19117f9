"""Searching: from a configuration, or with a function of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

from hwnas import accuracy as sources
from hwnas.accuracy import given
from hwnas.api.configured import OUT, Say, Tables, configured, own_objectives
from hwnas.api.runs import Run, figures_of
from hwnas.api.space_profile import lines
from hwnas.api.spaces import Resolutions
from hwnas.search import checks, driver, executors, finals
from hwnas.search import run as runs
from hwnas.search.clearing import clear
from hwnas.search.config import Config
from hwnas.search.own_objectives import OwnObjective
from hwnas.search.problem import Problem
from hwnas.search.state import SearchState
from hwnas.space import SearchSpace
from profilers.errors import BadInput, HwnasError
from profilers.interruption import counted, leaving
from profilers.outputs import kept
from profilers.progress import say as tell


def search(
    space: str | SearchSpace = "mbv3",
    accuracy: str | Callable[..., Any] | Any = None,
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
    fresh: bool = False,
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
        fresh: begin anew, in place of the run that `out` holds.

    Raises:
        BadInput: anything that does not fit, or a run of another search in `out`, before anything is written.

    Example:
        >>> import hwnas
        >>> run = hwnas.search("tiny", lambda arch: 90.0 + arch["r"] / 10, objectives=["top1", "params"],
        ...                    initial=8, iterations=1, per_iteration=2, out="runs/doc-search")
        >>> len(run.networks)
        10
    """
    source = _given(accuracy, workers, evaluate or {})
    wanted = {
        "space": space, "accuracy": accuracy if source is None else sources.GIVEN, "objectives": objectives,
        "budget": budget, "seed": seed, "resolutions": resolutions, "classes": classes, "evaluate": evaluate,
        "init_from": init_from, "workers": workers, "settings": settings, "surrogate": surrogate,
        "initial": initial, "iterations": iterations, "per_iteration": per_iteration,
    }  # fmt: skip
    with configured(tables or {}, wanted) as config:
        checks.check(Path(out), config, own := own_objectives(objectives), fresh=fresh)
        return run_config(config, Path(out), resume=resume, fresh=fresh, source=source, own=own)


def _given(accuracy: Any, workers: int, evaluate: Mapping[str, Any]) -> Any:
    """The source of an accuracy that the program brings; None for one that is named by a text."""
    if accuracy is None:
        allowed = 'a function of {"ks", "e", "d", "r"}, or a source such as "supernet:CKPT"'
        raise BadInput("a search without an accuracy", allowed, "hwnas.open_search, to be asked for it")
    if isinstance(accuracy, str):
        return None
    if workers > 1:
        raise BadInput(f"workers = {workers} with an accuracy of this process", "1", '"python:module:NAME"')
    return given.of(accuracy, **{name: evaluate[name] for name in ("batch", "unit", "images") if name in evaluate})


def search_config(
    path: Path | str,
    out: Path | str | None = None,
    *,
    overrides: Sequence[str] = (),
    resume: bool = True,
    fresh: bool = False,
) -> Run:
    r"""Search as a configuration's file says.

    Args:
        path: TOML, as `hwnas.template("search")` gives it.
        out: the run's folder, by default runs/NAME of the file.
        overrides: as in "search.iterations=10".
        resume: False to refuse a folder that holds a run.
        fresh: begin anew, in place of the run that `out` holds.

    Raises:
        BadInput: anything in the file that does not fit, or a run of another search in `out`.
        FileProblem: it cannot be read.

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
    folder = OUT / Path(path).stem if out is None else Path(out)
    config = checks.load(Path(path), overrides, folder, fresh=fresh)
    return run_config(config, folder, resume=resume, fresh=fresh)


def run_config(
    config: Config,
    folder: Path,
    *,
    resume: bool = True,
    fresh: bool = False,
    source: Any = None,
    own: Mapping[str, OwnObjective] | None = None,
    say: Say = lambda line: None,
) -> Run:
    """Search as a configuration says that `checks` has looked at.

    `source` stands in place of its accuracy where that is given by the program.
    `own` are objectives that the program gives, by name; `resume` and `fresh` as of `search`.
    `say` is called with what a user should know before the search begins, a line each.
    """
    open_run = runs.resume_run if resume else runs.create_run
    if resume and not fresh and (state := finished(folder, config, own)):
        tell(kept(folder, "a run"))
        return _ended(folder, state.ended)
    with leaving(partial(kept_in, folder)), ExitStack() as stack:
        first = stack.enter_context(ExitStack())
        started = source or first.enter_context(executors.start(config.source(folder), config.executor))
        stack.enter_context(runs.locked(folder))
        if fresh:
            clear(folder, config)
        run = stack.enter_context(open_run(folder, config, own))
        run = run.among(sources.listed(config.accuracy, run.space, config.evaluate))
        for line in [*lines(run.space, run.problem.objectives, run.config.budget), *remarks(run)]:
            say(line)
        state = driver.searched(run, started)
        first.close()
        if finals.missing(run):
            whole = config.source(folder, all_images=True)
            finals.judge(run, stack.enter_context(executors.start(whole, config.executor)))
        made = _ended(folder, state.ended)
        if run.config.subset is None:  # the rows are as the search left them, and need not be read again
            made.figures = figures_of(run, state.rows.sorted(), state.figures)
    return made


def _ended(folder: Path, why: str) -> Run:
    made = Run(folder)
    made.ended_early = why
    return made


def finished(folder: Path, config: Config, own: Mapping[str, OwnObjective] | None) -> SearchState | None:
    """The state of this very search where the folder holds it with nothing left to evaluate; None otherwise."""
    if not (folder / runs.ARCHIVE).exists():
        return None
    with runs.locked(folder), runs.resume_run(folder, config, own) as run:
        return state if (state := SearchState(run)).finished and not finals.missing(run) else None


def kept_in(folder: Path) -> str:
    """What an interruption leaves of a search, "" for nothing."""
    with suppress(HwnasError), runs.open_run(folder) as run:
        rows = len(run.archive.evaluations())
        return f"{counted(rows, 'evaluation')} kept in {folder}" if rows else ""
    return ""


def remarks(run: runs.Run) -> list[str]:
    """What is to be known of a run's objectives and tables."""
    notes = [f"{o.name}: {o.note}" for o in run.problem.objectives.values() if o.note] + _listed(run.problem)
    return notes + [f"warning: {name}: {line}" for name, found in run.tables.items() for line in found.remarks]


def _listed(problem: Problem) -> list[str]:
    """A line where only some networks are searched."""
    if problem.candidates is None:
        return []
    line = f"searched among the {len(problem.candidates):,} networks whose accuracy is known"
    within = f", of which {int((problem.excess(problem.candidates) <= 0).sum()):,} are within the budget"
    return [line + (within if problem.budget else "")]
