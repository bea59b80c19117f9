"""The report's sections: pure functions of the run; None where there is nothing to say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hwnas.report import failures, figures, known, latency, plots, speed_table, svg, tables
from hwnas.report.data import RunData
from hwnas.report.formatting import label_of, listing, lower, plural, scales
from hwnas.select.frequencies import draw
from hwnas.space import Architecture


@dataclass(frozen=True)
class Plot:
    """A figure as Plotly's JSON, its key in the page, and what it says to somebody who does not see it.

    `x` is the objective of its horizontal axis, of a projection.
    """

    key: str
    spec: plots.Spec
    spoken: str
    caption: str = ""
    tall: bool = False
    x: int | None = None


@dataclass(frozen=True)
class Section:
    """Its address in the page, a heading, a sentence below it, what its template shows, and all the plots in that."""

    key: str
    title: str
    about: str
    template: str
    content: Mapping[str, Any]
    plots: Sequence[Plot] = ()


def chosen(run: RunData) -> Section | None:
    """The table of the exported engines, or of the best networks so far."""
    if run.chosen:
        about = "Built, checked against the trained network and timed. Ranges are 95 % intervals."
        return Section("chosen", "The chosen networks", about, "chosen.html", {"table": tables.engines(run)})
    if not run.done:
        return None
    about = "No engine was exported yet (`hwnas export` does that). These are the search's own numbers."
    return Section("chosen", "The best networks so far", about, "chosen.html", {"table": tables.candidates(run)})


def fronts(run: RunData) -> Section | None:
    """The front in 3-D and its projections."""
    panels = [
        Plot(f"projection-{p.x.objective}", plots.projection(p), _spoken(p), x=p.x.objective)
        for p in figures.projections(run)
    ]
    if not panels:
        return None
    about, picture = "Each point is an evaluated network; click one to see what it is made of.", None
    if space := figures.front(run):
        picture = Plot("front", plots.front(space), _spoken_front(space), tall=True)
        about = f"{about} Drag the 3-D figure to turn it."
    names = [scale.label for scale in scales(run)]
    axes = {} if space is None else _axes(space)
    content = {"dots": _dots(run), "space": picture, "panels": panels, "names": names, "axes": axes, "y": run.quality}
    shown = [*panels, *([picture] if picture else [])]
    return Section("trade-offs", "Trade-offs between the objectives", about, "fronts.html", content, shown)


def parallel(run: RunData) -> Section | None:
    """All objectives side by side, drawn by a script: Plotly's would need `unsafe-eval` in the page's policy."""
    if len(run.objectives) < 3 or len(run.done) < 2:
        return None
    spoken = f"Parallel coordinates of {listing([s.label for s in scales(run)])}: {plural(len(run.done), 'network')}"
    about = (
        "Each line is a network, and up is better on every axis. Drag along an axis to keep only the networks there: "
        "points, tables and drawings follow. With the keyboard, go to an axis and press the arrows; Escape clears it."
    )
    return Section("parallel", "All objectives at once", about, "parallel.html", {"spoken": spoken})


def drawings(run: RunData) -> Section | None:
    """The chosen networks, layer by layer; without any, those that are best for the main cost."""
    networks = [
        replace(
            svg.network(run.space, draw(run.space, arch), name, _note(run, arch, run.row_of(arch.id))),
            network=run.row_of(arch.id),
        )
        for arch, name in _drawn(run)
    ]
    if not networks:
        return None
    about = "From input to output; dashed lines separate the blocks, and gaps are layers that a network does without."
    content = {"legend": svg.legend(run.space), "networks": networks}
    return Section("drawings", "Layer by layer", about, "drawings.html", content)


def latencies(run: RunData) -> Section | None:
    """Predicted against measured, for each runtime and setting."""
    agreements = []
    for number, found in enumerate(latency.agreements(run)):
        picture = None
        if found.engines or found.networks:
            spoken = f"Predicted against measured latency, {found.title}: {plural(len(found.engines), 'engine')}"
            picture = Plot(f"latency-{number}", plots.agreement(found), spoken)
        agreements.append((found.title, picture, tables.agreement(found)))
    if not agreements:
        return None
    about = "On the dashed line the prediction is exact. Bars are 95 % intervals."
    shown = [picture for _, picture, _ in agreements if picture]
    return Section(
        "latency", "Predicted and measured latency", about, "latencies.html", {"agreements": agreements}, shown
    )


def speed(run: RunData) -> Section | None:
    """How quick each engine is: median, tails and images a second."""
    if (found := speed_table.table(run)) is None:
        return None
    about = (
        "Measured, back to back: the median of blocks of runs with its 95 % interval. Engines of one device, batch "
        "and number of threads are ranked; = is a tie: measuring does not tell them apart."
    )
    return Section("speed", "Speed of the engines", about, "chosen.html", {"table": found})


def by_class(run: RunData) -> Section | None:
    """Which classes the chosen engines know, and which they take for others."""
    if not (found := tables.by_class(run)):
        return None
    about = "Measured with each engine on the images named above."
    return Section("classes", "Accuracy by class", about, "classes.html", {"engines": found})


def search(run: RunData) -> Section | None:
    """Hypervolume and the surrogate's quality, by iteration."""
    progress, quality, shown = figures.progress(run), figures.quality(run), []
    if progress:
        spoken = f"Hypervolume by evaluated networks, at last {progress.search.y[-1]:.4g}"
        shown.append(Plot("progress", plots.progress(progress), spoken, caption=_overtaken(progress)))
    if quality:
        shown += _quality(quality, run.objectives[run.quality].unit)
    if not shown:
        return None
    about = "Hypervolume is the share of the objectives' space that the front dominates: more is better."
    return Section("progress", "How the search went", about, "search.html", {"plots": shown}, shown)


def beside_known(run: RunData) -> Section | None:
    """What `hwnas compare` has measured into the run."""
    found = [each for each in (run.known, run.known_elsewhere) if each is not None]
    if not found:
        return None
    shown = [(known.about(each), known.table(each)) for each in found]
    return Section("known", "Beside known networks", shown[0][0], "known.html", {"shown": shown})


def failed(run: RunData) -> Section | None:
    """The evaluations that gave nothing, and why."""
    if (found := failures.table(run)) is None:
        return None
    about = "A network that could not be evaluated gets no value, and is not in any figure."
    return Section("failures", "What failed", about, "failures.html", {"table": found})


def habits(run: RunData) -> Section | None:
    """Frequencies of choices on each front."""
    shown = [
        (f"{found.title}: {plural(found.networks, 'network')}", svg.heat_maps(run.space, found))
        for found in figures.frequencies(run)
        if found.networks > 1
    ]
    if not shown:
        return None
    best = lower(label_of(run, run.objectives[run.quality].name))
    about = f"How often each choice occurs in networks of the best {best} for a cost; a stronger colour is more often."
    return Section("habits", "What the best networks have in common", about, "habits.html", {"fronts": shown})


def origins(run: RunData) -> Section:
    """Where the numbers come from, and the configuration."""
    about = "Every number of this report is marked by where it comes from."
    content = {"table": tables.origins(run), "glossary": tables.glossary(), "config": run.config}
    return Section("origins", "How every number was obtained", about, "origins.html", content)


ALL: tuple[Callable[[RunData], Section | None], ...] = (
    chosen,
    fronts,
    parallel,
    drawings,
    speed,
    latencies,
    by_class,
    beside_known,
    search,
    failed,
    habits,
    origins,
)


def _dots(run: RunData) -> list[tuple[str, str]]:
    """CSS class and meaning of the points."""
    everything = f"beaten by no other in all {plural(len(run.objectives), 'objective')}"
    dots = [("", "evaluated"), ("on-front", everything), ("on-pair", "best in the two objectives of the panel")]
    return dots + ([("is-chosen", "chosen")] if run.marked else [])


def _axes(data: figures.Front) -> dict[str, int]:
    """What is on each axis of the 3-D figure."""
    found = {"x": data.x, "y": data.y, "z": data.z, "colour": data.colour, "size": data.size}
    return {name: axis.objective for name, axis in found.items() if axis is not None}


def _spoken(p: figures.Projection) -> str:
    values = [p.y.values[i] for i in p.pair]
    best = f"best {p.y.title} {(min if p.y.minimise else max)(values):.4g}" if values else "none within the budget"
    return (
        f"{p.y.title} against {p.x.title}: {plural(len(p.x.values), 'network')}, {len(p.pair)} best in these two; "
        f"{p.x.title} from {min(p.x.values):.3g} to {max(p.x.values):.3g}, {best}"
    )


def _spoken_front(data: figures.Front) -> str:
    return (
        f"{data.x.title}, {data.y.title} and {data.z.title} in 3-D: {plural(len(data.front), 'network')} on the front"
    )


def _drawn(run: RunData) -> list[tuple[Architecture, str]]:
    if run.letters:
        archs = {arch.id: arch for arch in (run.space.parse(e.sheet["architecture"]) for e in run.chosen)}
        return [(archs[key], f"{name} · {key}") for key, name in run.letters.items()]
    return [(run.archs[i], run.archs[i].id) for i in tables.picked(run)] if run.done else []


def _note(run: RunData, arch: Architecture, index: int | None) -> str:
    """Resolution, then quality and the main cost where the search has evaluated it."""
    parts, shown = [f"{arch.r} px"], scales(run)
    if index is not None:
        parts += [shown[k].text(float(run.values[index, k])) for k in dict.fromkeys((run.quality, run.main_cost))]
    return ", ".join(parts)


def _quality(data: figures.Quality, unit: str) -> list[Plot]:
    used = {name: data.surrogates.count(name) for name in data.surrogates}
    named = ", ".join(f"{name} ({plural(count, 'iteration')})" for name, count in used.items())
    ranks = "How well the surrogate ranks new networks before it has learnt from them; 1 is perfect."
    error = f"Its error on the same networks. Surrogates used: {named}."
    spoken = "Quality of the surrogate by iteration: "
    return [
        Plot("correlations", plots.correlations(data), f"{spoken}correlations", caption=ranks),
        Plot("errors", plots.errors(data, unit), f"{spoken}errors", caption=error),
    ]


def _overtaken(data: figures.Progress) -> str:
    if data.random is None:
        return "Larger is better."
    if data.overtaken is None:
        return f"Random search ends with {data.random.y[-1]:.3g}, which this search did not reach."
    return f"After {data.overtaken} networks the search had what random search has after {data.random.x[-1]:.0f}."
