"""The report's sections: functions of the run that add their figures to `specs`; None where there is nothing to say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hwnas.report import choices, figures, latency, plots, svg, tables
from hwnas.report.data import RunData
from hwnas.report.html import Html, tag
from hwnas.report.words import label, lower, plural, scales
from hwnas.select.choices import draw
from hwnas.space import Architecture

Specs = dict[str, plots.Spec]


def chosen(run: RunData, specs: Specs) -> Html | None:
    """The table of the exported engines, or of the best networks so far."""
    if run.chosen:
        about = "Built, checked against the trained network and timed. Ranges are 95 % intervals."
        return _section("The chosen networks", about, tables.engines(run))
    if not run.done:
        return None
    about = "No engine was exported yet (`hwnas export` does that). These are the search's own numbers."
    return _section("The best networks so far", about, tables.candidates(run))


def fronts(run: RunData, specs: Specs) -> Html | None:
    """The front in 3-D and its projections."""
    panels = [
        _plot(specs, f"projection-{p.x.objective}", plots.projection(p), _spoken(p)) for p in figures.projections(run)
    ]
    if not panels:
        return None
    flat, space = tag("div", *panels, class_="panels"), figures.front(run)
    about = "Each point is an evaluated network; point at one to read it."
    if space is None:
        return _section("What can be had for what", about, _key(run), flat)
    picture = _plot(specs, "front", plots.front(space), _spoken_front(space), class_="plot tall")
    about = f"{about} The picture in 3-D can be turned. {_looks(space)}"
    return _section("What can be had for what", about, _key(run), tag("div", picture, flat, class_="front"))


def drawings(run: RunData, specs: Specs) -> Html | None:
    """The chosen networks, layer by layer; without any, those that are best for the main cost."""
    rows = _drawn(run)
    if not rows:
        return None
    by_id = {arch.id: i for i, arch in enumerate(run.archs)}
    pictures = [
        svg.network(run.space, draw(run.space, arch), name, _note(run, arch, by_id.get(arch.id))) for arch, name in rows
    ]
    about = "From input to output; dashed lines separate the blocks, and gaps are layers that a network does without."
    drawn = tag("div", *pictures, class_="scroll", tabindex="0", role="region", aria_label="Drawings of the networks")
    return _section("Layer by layer", about, svg.legend(run.space), drawn)


def latencies(run: RunData, specs: Specs) -> Html | None:
    """Predicted against measured, for each runtime and setting."""
    parts: list[Html] = []
    for number, found in enumerate(latency.agreements(run)):
        picture = Html("")
        if found.engines or found.networks:
            alt = f"Predicted against measured latency, {found.title}: {plural(len(found.engines), 'engine')}"
            picture = _plot(specs, f"latency-{number}", plots.agreement(found), alt)
        parts += [tag("h3", found.title), tag("div", picture, tables.agreement(found), class_="agreement")]
    about = "On the dashed line the prediction is exact. Bars are 95 % intervals."
    return _section("Predicted and measured latency", about, *parts) if parts else None


def search(run: RunData, specs: Specs) -> Html | None:
    """Hypervolume and the surrogate's quality, by iteration."""
    progress, quality, parts = figures.progress(run), figures.quality(run), []
    if progress:
        alt = f"Hypervolume by evaluated networks, at last {progress.search.y[-1]:.4g}"
        parts.append(_plot(specs, "progress", plots.progress(progress), alt, caption=_overtaken(progress)))
    if quality:
        parts += _quality(quality, run.objectives[run.quality].unit, specs)
    about = "Hypervolume is the share of the objectives' space that the front dominates: more is better."
    return _section("How the search went", about, tag("div", *parts, class_="wide")) if parts else None


def habits(run: RunData, specs: Specs) -> Html | None:
    """Frequencies of choices on each front."""
    found = [f for f in choices.frequencies(run) if f.networks > 1]
    parts = [
        tag("div", tag("h3", f"{f.title}: {plural(f.networks, 'network')}"), svg.heat_maps(run.space, f)) for f in found
    ]
    best = lower(label(run.objectives[run.quality].name))
    about = f"How often each choice occurs in networks of the best {best} for a cost; a stronger colour is more often."
    drawn = tag("div", *parts, class_="habits")
    return _section("What the best networks have in common", about, drawn) if parts else None


def origins(run: RunData, specs: Specs) -> Html:
    """Where the numbers come from, and the configuration."""
    shown = tag("details", tag("summary", "The search's configuration"), tag("pre", run.config))
    about = "Every number of this report is marked by where it comes from."
    parts = [tables.origins(run), tables.glossary(), *([shown] if run.config else [])]
    return _section("How every number was obtained", about, *parts)


ALL: tuple[Callable[[RunData, Specs], Html | None], ...] = (
    chosen, fronts, drawings, latencies, search, habits, origins,
)  # fmt: skip


def _section(title: str, about: str, *parts: Html) -> Html:
    return tag("section", tag("h2", title), tag("p", about, class_="about"), *parts)


def _plot(specs: Specs, key: str, spec: plots.Spec, alt: str, *, caption: str = "", class_: str = "plot") -> Html:
    specs[key] = spec
    box = tag("div", data_figure=key, class_=class_, role="img", aria_label=alt)
    return tag("figure", box, tag("figcaption", caption)) if caption else tag("figure", box)


def _key(run: RunData) -> Html:
    everything = f"beaten by no other in all {plural(len(run.objectives), 'objective')}"
    keys = [("", "evaluated"), ("on-front", everything), ("on-pair", "best in the two objectives of the panel")]
    keys += [("is-chosen", "chosen")] if run.marked else []
    dots = [(tag("span", class_=f"dot {name}", aria_hidden="true"), meaning) for name, meaning in keys]
    return tag("p", *(tag("span", dot, meaning, class_="key") for dot, meaning in dots), class_="legend")


def _looks(data: figures.Front) -> str:
    if data.colour is None:
        return ""
    return f"Colour is {lower(data.colour.title)}" + (f", size {lower(data.size.title)}." if data.size else ".")


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


def _quality(data: figures.Quality, unit: str, specs: Specs) -> list[Html]:
    used = {name: data.surrogates.count(name) for name in data.surrogates}
    named = ", ".join(f"{name} ({plural(count, 'iteration')})" for name, count in used.items())
    texts = {
        "correlations": "How well the surrogate ranks new networks before it has learnt from them; 1 is perfect.",
        "errors": f"Its error on the same networks. Surrogates used: {named}.",
    }
    drawn: dict[str, Any] = {"correlations": plots.correlations(data), "errors": plots.errors(data, unit)}
    alt = "Quality of the surrogate by iteration: "
    return [_plot(specs, key, spec, alt + key, caption=texts[key]) for key, spec in drawn.items()]


def _overtaken(data: figures.Progress) -> str:
    if data.random is None:
        return "Larger is better."
    if data.overtaken is None:
        return f"Random search ends with {data.random.y[-1]:.3g}, which this search did not reach."
    return f"After {data.overtaken} networks the search had what random search has after {data.random.x[-1]:.0f}."
