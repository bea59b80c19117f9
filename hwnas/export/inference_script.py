"""`run.py` of an exported folder: classifies an image with nothing but the runtime, numpy and Pillow.

It prepares an image with the very lines that training and validation prepare theirs with (`hwnas.data.picture`), by the
preprocessing and labels of the datasheet beside it. They are the ONNX model's metadata too (`preprocessing`
and `labels`, JSON), for whoever has the model alone. A model that takes no images is run on arrays (`array_script`).
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hwnas.export import array_script
from profilers.base import Loader, Tensor

PICTURE = Path(__file__).parents[1] / "data" / "picture.py"  # its text is a part of every run.py


_HEAD = '''\
"""Classify an image: python run.py IMAGE. Needs {needs}, numpy and Pillow.

`prepare(path, how)` is what an image must go through:

'''

_TAIL = (
    """\

import json, pathlib, sys


"""
    + array_script.SAY
    + '''

def main(path):
    """The likeliest five classes of an image file."""
    try:
        here = pathlib.Path(__file__).parent
        sheet = json.loads((here / "datasheet.json").read_text())
        how, warnings = sheet["preprocessing"], sheet.get("warnings", [])
        image = prepare(path, how)
    except Damaged as error:
        stop(f"{{path}}: {{error}}")
    except OSError as error:
        stop(error)
    except (ValueError, LookupError, TypeError) as error:
        stop(f"datasheet.json is damaged: {{error!r}}")
    for line in warnings:
        print("warning:", plain(line), file=sys.stderr)
    try:
        import {imports}

{load}
        feeds = {{{entry}: np.repeat(image, {batch}, 0)}}  # as many as the engine takes
        (outputs,) = ({call}).values()
        logits = outputs[0].astype(np.float64)
    except Exception as error:  # each runtime has its own
        stop(f"the engine cannot be run: {{error}}")
    shares = logits if how.get("outputs") == "probabilities" else np.exp(logits - np.logaddexp.reduce(logits))
    for i in shares.argsort()[::-1][:5]:
        print(f"{{plain(how['labels'][i])}}: {{100 * shares[i]:.1f}} %")


if __name__ == "__main__":
    main(sys.argv[1]) if len(sys.argv) == 2 else stop(f"{{len(sys.argv) - 1}} arguments; python run.py IMAGE")
'''
)

_SNIPPET = """\
import pathlib, sys, {imports}
here = pathlib.Path(".")
{load}
feeds = {feeds}
outputs = {call}"""


def script(loader: Loader, batch: int, entry: str | None = "input") -> str:
    """The file's text.

    Args:
        loader: the runtime's part.
        batch: images a run.
        entry: the input that takes images; None for a model that takes other arrays.
    """
    inside = loader._replace(load=textwrap.indent(loader.load, " " * 8))._asdict()
    if entry is None:
        return array_script.TEXT.format(**inside)
    _, _, picture = PICTURE.read_text(encoding="utf-8").partition('"""')
    return _HEAD.format(**loader._asdict()) + picture + _TAIL.format(**inside, batch=batch, entry=repr(entry))


def snippet(loader: Loader, inputs: Mapping[str, Tensor]) -> str:
    """The lines that load the engine and run it on zeros of the inputs' shapes."""
    feeds = ", ".join(f'{name!r}: np.zeros({tuple(t.shape)}, "{t.dtype}")' for name, t in inputs.items())
    return _SNIPPET.format(**loader._asdict(), feeds=f"{{{feeds}}}")


def metadata(preprocessing: Mapping[str, Any]) -> dict[str, str]:
    """What the ONNX carries, from the section of the datasheet."""
    how = {k: v for k, v in preprocessing.items() if k != "labels"}
    return {"preprocessing": json.dumps(how), "labels": json.dumps(preprocessing["labels"])}
