"""Time a model end to end on all engines in turns, then layers by a traced session beside an untraced one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace

from hwnas.onnx.open_model import OpenedModel
from hwnas.profile.attribute import attribute
from hwnas.profile.candidates import Candidate, candidates
from hwnas.profile.facts import Layers, Refusal
from hwnas.profile.result import Profile, Profiles
from profilers.base import Options, Profiler, Session, TimingPlan
from profilers.errors import BadInput, HwnasError, MeasurementFailed
from profilers.interruption import leaving
from profilers.progress import track
from profilers.timing import plans
from profilers.timing.fingerprint import fingerprint
from profilers.timing.measurement import Measurement, Measuring, measuring

TRACED = TimingPlan(min_rounds=6, max_rounds=12, runs_per_block=2, relative_interval=0.03, warmup_runs=2, seconds=12)
"""A traced session and an untraced one; only their ratio is used, and a trace of many runs is long."""
TRACED_RUNS = 4  # timed in a block of a traced session
MORE_SECONDS = 6  # of the end-to-end timing for each engine beyond the first
LARGE_MS = 20  # of a run, from which a model is settled after one untimed run (docs/measurement.md): nothing to learn


def profile_model(
    opened: OpenedModel,
    profilers: Iterable[Profiler],
    options: Options | None = None,
    precisions: Sequence[str] = ("fp32",),
    *,
    plan: TimingPlan | None = None,
) -> Profiles:
    """Profile a model on one or more runtimes, side by side.

    Args:
        opened: the model; its batch is what counts, whatever the options say.
        profilers: the runtimes.
        options: threads and state.
        precisions: each on every runtime; none: all that a runtime has here.
        plan: of the end-to-end timing, by default as long as `export` measures an engine, and longer for several.

    Returns:
        The fastest first, and the refusals.

    Raises:
        HwnasError: nothing could be measured; the first reason.
    """
    options = replace(options or Options(), batch=opened.model.batch)
    found = list(candidates(opened, profilers, precisions, options))
    refused = [each for each in found if isinstance(each, Refusal)]
    chosen = {each.name: each for each in found if isinstance(each, Candidate)}
    profiles: list[Profile] = []
    place = next((each.profiler.place for each in chosen.values()), None)
    with leaving(str), measuring(options, place=place) as bench, ExitStack() as stack:
        sessions = _load(chosen, stack, refused)
        with track(1 + len(sessions), "profiling") as bar:
            bar.note("end to end")
            group = bench.time(sessions, _for_size(plan or _plan(len(sessions)), sessions))
            bar.advance()
            refused += [_refusal(chosen[name], reason) for name, reason in group.failed.items()]
            for name, measured in group.measured.items():
                bar.note(f"layers on {name}")
                profiles.append(_profile(opened, chosen[name], measured, bench, sessions[name]))
                bar.advance()
    if not profiles:
        raise _nothing(refused)
    return Profiles(tuple(sorted(profiles, key=lambda p: p.ms)), tuple(refused))


def _plan(sessions: int) -> TimingPlan:
    seconds = (plans.ENGINE.seconds or 0) + MORE_SECONDS * (sessions - 1)
    return replace(plans.ENGINE, seconds=seconds)


def _for_size(plan: TimingPlan, sessions: Mapping[str, Session]) -> TimingPlan:
    """Without learning how long models take to settle where all are large, which would take minutes."""
    return replace(plan, untimed_runs=1) if min(map(_run_ms, sessions.values()), default=0.0) > LARGE_MS else plan


def _run_ms(session: Session) -> float:
    """Milliseconds of the second run, roughly; what fails, fails again where it is told."""
    try:
        session.run()
        start = session.clock.wall()
        session.run()
    except Exception:  # a runtime can raise anything
        return 0.0
    return 1e3 * (session.clock.wall() - start)


def _load(chosen: Mapping[str, Candidate], stack: ExitStack, refused: list[Refusal]) -> dict[str, Session]:
    """Sessions by name; what a runtime refuses is added to `refused`."""
    sessions: dict[str, Session] = {}
    for name, each in chosen.items():
        try:
            sessions[name] = stack.enter_context(each.load())
        except HwnasError as error:
            refused.append(_refusal(each, str(error)))
    return sessions


def _refusal(candidate: Candidate, reason: str) -> Refusal:
    return Refusal(candidate.profiler.name, candidate.options.precision, reason)


def _nothing(refused: Sequence[Refusal]) -> HwnasError:
    if len(refused) == 1:
        return BadInput(f"{refused[0]}")
    reasons = "; ".join(map(str, refused)) or "no engine was asked for"
    return BadInput(f"no engine can measure this model: {reasons}")


def _profile(
    opened: OpenedModel, candidate: Candidate, measured: Measurement, bench: Measuring, session: Session
) -> Profile:
    layers, why = _layers(candidate, measured, bench, session)
    notes = (*candidate.notes, *session.notes, *([why] if why else []), *measured.conditions.remarks())
    return Profile(
        opened.name,
        opened.about,
        candidate.profiler.name,
        candidate.options.precision,
        {port.name: port.text for port in opened.model.inputs.values()},
        measured,
        fingerprint(candidate.profiler, candidate.options),
        layers,
        notes,
    )


def _layers(
    candidate: Candidate, measured: Measurement, bench: Measuring, session: Session
) -> tuple[Layers | None, str]:
    """The layers, or the reason why there are none."""
    try:
        with candidate.load(traced=True) as traced:
            sessions = {"whole": session, "traced": traced}
            plan = replace(TRACED, untimed_runs=1) if measured.ms > LARGE_MS else TRACED
            group = bench.time(sessions, plan, most_runs={"traced": TRACED_RUNS})
            group.require_all("a traced session")
            samples = group.measured["traced"].samples
            if samples is None:
                raise MeasurementFailed("a traced session without samples")
            runs, details = traced.node_times(), traced.node_details()
            operators = candidate.operators(details, runs)
            return attribute(operators, runs, details, samples, group.measured["whole"].ms, measured.ms), ""
    except HwnasError as error:
        return None, f"no times of layers: {error.got}"
