"""A recipe: images, device, budget and time in one TOML file; what it leaves out is chosen when a stage begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Interval, MinLen

from hwnas.settings import Resolutions, build, read_toml
from hwnas.space.configured import with_definition
from hwnas.train.config import Phase, Recipe, Regularise
from profilers.constraints import Count, Name, NotNegative, OneOf, Positive, Seed, Text
from profilers.errors import BadInput
from profilers.validation import check_fields

MINUTES = 20.0
Threads = Annotated[int, Interval(ge=0, le=1024)]


@dataclass(frozen=True)
class DeviceSettings:
    """Section [device]: what the engine runs on, as `hwnas.Device` takes it."""

    engine: Text = "onnxruntime"
    """A runtime of `hwnas engines`, or python:module:Class."""
    threads: Count = 1
    """Of the runtime."""
    precision: Text = "fp32"
    """What it computes in."""
    batch: Count = 1
    """Images a run."""
    host: Text = ""
    """The machine: a name of `hwnas devices`, or ssh://[user@]host[:port]; empty for this one. Training is here."""


@dataclass(frozen=True)
class TableSettings:
    """Section [table]: how the latency table is built, where [tables] names no file of that objective."""

    objective: Name | None = None
    """The objective of the table; by default cpu_ms, or gpu_ms for a runtime of GPUs."""
    method: Annotated[str, OneOf(("in-context", "isolated"))] = "in-context"
    """isolated: for runtimes without per-node times, and networks below a tenth of a millisecond."""
    seconds: Positive | None = None
    """Soft limit of the measuring time."""


@dataclass(frozen=True)
class SupernetSettings:
    """Section [supernet]: weights that all networks inherit, trained on the images or already there."""

    file: Path | None = None
    """A supernet of these classes that is used as it is."""
    init: Path | None = None
    """Weights that training starts from: published ones or a supernet of other classes."""
    phases: Annotated[tuple[Phase, ...], MinLen(1)] | None = None
    """Phases of progressive shrinking, as in the file of `hwnas train supernet`."""
    recipe: Recipe | None = None
    """Optimisation, as there."""
    threads: Threads = 1
    """Of torch; 0 leaves its default."""

    def __post_init__(self) -> None:
        if self.file and (self.init or self.phases or self.recipe):
            raise BadInput("supernet.file beside init, phases or recipe", "one of them", "init to train it further")


@dataclass(frozen=True)
class SearchSection:
    """Section [search]: how many networks are evaluated. Evaluations in all: initial + iterations * per_iteration."""

    initial: Annotated[int, Interval(ge=4, le=10**6)] | None = None
    """Networks that are evaluated before the first iteration."""
    iterations: Annotated[int, Interval(ge=0, le=10**6)] | None = None
    """Rounds of fitting the surrogate and evaluating what it proposes."""
    per_iteration: Annotated[int, Interval(ge=1, le=10**6)] = 8
    """Networks that are evaluated in each round."""
    surrogate: Text = "auto"
    """The model that predicts accuracy: auto, gp, rbf, cart, mlp, xgb or one's own."""
    workers: Count = 1
    """Processes that evaluate."""
    evaluate: dict[str, Any] = field(default_factory=dict)
    """Options of the accuracy of a supernet's networks, such as views or finetune_epochs."""


@dataclass(frozen=True)
class SelectSettings:
    """Section [select]: which networks of the front are fine-tuned."""

    n: Annotated[int, Interval(ge=1, le=100)] = 2
    """How many; the best of them after fine-tuning is shipped."""
    prefer: Text | None = None
    """Wished values, as in "top1=80,madds=150"; by default the most accurate one and others far from it."""


@dataclass(frozen=True)
class FinetuneSettings:
    """Section [finetune]: the final training, as in the file of `hwnas train finetune`."""

    epochs: Annotated[int, Interval(ge=1, le=10**6)] | None = None
    """Passes of each network over the training images; or steps."""
    steps: Annotated[int, Interval(ge=1, le=10**8)] | None = None
    """Updates of each network's weights."""
    lr: NotNegative | None = None
    """Learning rate after the warm-up."""
    teacher: bool | None = None
    """Whether the supernet's largest network is distilled from."""
    recipe: Recipe | None = None
    """Optimisation."""
    regularise: Regularise | None = None
    """Against overfitting."""
    patience: Annotated[int, Interval(ge=0, le=10**6)] | None = None
    """Passes without a better validation accuracy after which training stops; 0: off."""
    threads: Threads = 1
    """Of torch; 0 leaves its default."""


@dataclass(frozen=True)
class ExportSettings:
    """Section [export]: the engines."""

    engine: Text | None = None
    """A format of `hwnas engines`, or auto for the fastest of all; by default the device's."""
    calibration: Path | None = None
    """Images for int8."""
    quick: bool = False
    """Whether throughput, memory and cold start are left out."""


@dataclass(frozen=True)
class CompareSettings:
    """Section [compare]: known networks beside the shipped one."""

    models: tuple[Text, ...] = ()
    """Networks of torchvision that are trained on the same images by the same recipe."""


@dataclass(frozen=True)
class RecipeSettings:
    """The file of `hwnas run`. Paths are relative to it."""

    images: str
    """Data set: folder:FOLDER, NAME:FOLDER or digits."""
    space: Text
    """The search space: the name of one, FILE.toml, or python:module:NAME."""
    resolutions: Resolutions | None = None
    """Pixels of the images that networks may have; by default the space's."""
    minutes: Positive = MINUTES
    """How long all of it may take, a wish: what is left out below is chosen by it."""
    seed: Seed = 1
    """Of everything that is drawn."""
    out: Path = Path("out")
    """Folder of everything that is made."""
    objectives: tuple[Name, ...] | None = None
    """What is searched: top1 and others; by default top1 and the latency of the device."""
    budget: dict[Name, Positive] = field(default_factory=dict)
    """The most that an objective may be, in its unit, as in cpu_ms = 5; the least for top1."""
    tables: dict[Name, Path] = field(default_factory=dict)
    """Latency tables that are there already, by the name of their objective."""
    device: DeviceSettings = field(default_factory=DeviceSettings)
    """What the engine runs on."""
    table: TableSettings = field(default_factory=TableSettings)
    """How its latency table is built."""
    supernet: SupernetSettings = field(default_factory=SupernetSettings)
    """Where weights come from."""
    search: SearchSection = field(default_factory=SearchSection)
    """How is searched, and for how long."""
    select: SelectSettings = field(default_factory=SelectSettings)
    """Which networks are fine-tuned."""
    finetune: FinetuneSettings = field(default_factory=FinetuneSettings)
    """Their final training."""
    export: ExportSettings = field(default_factory=ExportSettings)
    """The engines."""
    compare: CompareSettings = field(default_factory=CompareSettings)
    """Known networks beside them."""
    definition: dict[str, Any] | None = None
    """The space in plain values, where it is not a built-in one; hwnas fills it in."""

    def __post_init__(self) -> None:
        check_fields(self)


def load(path: Path, overrides: Sequence[str] = ()) -> RecipeSettings:
    """Read a recipe, apply `a.b=c` overrides, check every key.

    Raises:
        FileProblem: the file cannot be read. BadInput: anything in it that does not fit.
    """
    data: Mapping[str, Any] = read_toml(path, overrides)
    return build(RecipeSettings, with_definition(data, path.parent), str(path))
