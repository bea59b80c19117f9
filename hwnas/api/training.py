"""Training: a supernet, and chosen networks; from a configuration's file. Both also work under torchrun."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hwnas.api.display import Facts
from hwnas.ofa.network_files import read_archs


def train_supernet(
    config: Path | str, *, overrides: Sequence[str] = (), resume: bool = True, fresh: bool = False
) -> Facts:
    r"""Train a supernet by progressive shrinking.

    Args:
        config: TOML, as `hwnas.template("supernet")` gives it.
        overrides: as in "seed=2".
        resume: False to refuse what is there; else what was interrupted is continued, and what is done is kept.
        fresh: train anew in place of what is there.

    Returns:
        supernet (its file), dataset, history of validation accuracies, left_out (damaged images).

    Raises:
        BadInput: anything in the file that does not fit, or training of another configuration in the way.

    Example:
        >>> from pathlib import Path
        >>> import hwnas
        >>> _ = Path("s.toml").write_text(
        ...     'space = "tiny"\ndataset = "digits"\nout = "s.safetensors"\nresolutions = [12]\n'
        ...     '[[phases]]\nname = "largest"\nepochs = 1\nlr = 0.3\nnetworks = 1\n')
        >>> hwnas.train_supernet("s.toml")["supernet"]
        's.safetensors'
    """
    from hwnas.train.configured import supernet_config
    from hwnas.train.progressive_shrinking import train_supernet as train

    wanted = supernet_config(Path(config), overrides)
    _, provenance = train(wanted, resume=resume, fresh=fresh)
    training = provenance.training
    facts = {"history": training["history"], "left_out": training.get("left_out", 0)}
    return Facts("Supernet", {"supernet": str(wanted.out), "dataset": provenance.dataset, **facts})


def finetune(
    config: Path | str, *, overrides: Sequence[str] = (), resume: bool = True, fresh: bool = False
) -> Iterator[dict[str, Any]]:
    r"""Fine-tune chosen networks, or train them from scratch; gives each one's facts when it is done.

    Args:
        config: TOML, as `hwnas.template("finetune")` gives it.
        overrides: as in "epochs=2".
        resume: False to refuse what is there; else what was interrupted is continued, and what is done is kept.
        fresh: train anew in place of what is there.

    Raises:
        BadInput: anything in the file that does not fit, or training of another configuration in the way.

    Example:
        >>> from pathlib import Path
        >>> import hwnas
        >>> _ = hwnas.Networks.sample("tiny", n=1, resolutions=[12]).save("archs.jsonl")
        >>> _ = Path("f.toml").write_text(
        ...     'space = "tiny"\ndataset = "digits"\narchs = "archs.jsonl"\nout = "nets"\nepochs = 1\n')
        >>> [sorted(facts)[:3] for facts in hwnas.finetune("f.toml")]
        [['arch', 'classes', 'epochs']]
    """
    from hwnas.train.configured import finetune_config
    from hwnas.train.finetune_networks import Finetuning

    wanted = finetune_config(Path(config), overrides)
    training = Finetuning(wanted, resume=resume, fresh=fresh)
    yield from training.run(read_archs(training.space, wanted.archs))
