"""`run.py` of an exported folder: classifies an image with nothing but the runtime, numpy and Pillow.

It prepares an image with the very lines that training and validation prepare theirs with (`hwnas.data.picture`), by the
preprocessing and labels of the datasheet beside it. They are the ONNX model's metadata too (`preprocessing`
and `labels`, JSON), for whoever has the model alone.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from profilers.base import Loader

PICTURE = Path(__file__).parents[1] / "data" / "picture.py"  # its text is a part of every run.py


_HEAD = '''\
"""Classify an image: python run.py IMAGE. Needs {needs}, numpy and Pillow.

`prepare(path, how)` is what an image must go through:

'''

_TAIL = '''\

import json, pathlib, sys


def stop(why):
    """One line, as a program that calls this one expects it."""
    print("run.py:", " ".join(str(why).split()) or type(why).__name__, file=sys.stderr)
    sys.exit(2)


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
        print("warning:", line, file=sys.stderr)
    try:
        import {imports}

{load}
        feeds = {{"input": np.repeat(image, {batch}, 0)}}  # as many as the engine takes
        (outputs,) = ({call}).values()
        logits = outputs[0]
    except Exception as error:  # each runtime has its own
        stop(f"the engine cannot be run: {{error}}")
    shares = np.exp(logits - np.logaddexp.reduce(logits))
    for i in shares.argsort()[::-1][:5]:
        print(f"{{how['labels'][i]}}: {{100 * shares[i]:.1f}} %")


if __name__ == "__main__":
    main(sys.argv[1]) if len(sys.argv) == 2 else stop(f"{{len(sys.argv) - 1}} arguments; python run.py IMAGE")
'''

_SNIPPET = """\
import pathlib, sys, {imports}
here = pathlib.Path(".")
{load}
feeds = {{"input": np.zeros({shape}, np.float32)}}
outputs = {call}"""


def script(loader: Loader, batch: int) -> str:
    """The file's text.

    Args:
        loader: the runtime's part.
        batch: images a run.
    """
    inside = loader._replace(load=textwrap.indent(loader.load, " " * 8))
    _, _, picture = PICTURE.read_text(encoding="utf-8").partition('"""')
    return _HEAD.format(**loader._asdict()) + picture + _TAIL.format(**inside._asdict(), batch=batch)


def snippet(loader: Loader, shape: tuple[int, ...]) -> str:
    """The lines that load the engine and run it on zeros of `shape`."""
    return _SNIPPET.format(**loader._asdict(), shape=shape)


def metadata(preprocessing: Mapping[str, Any]) -> dict[str, str]:
    """What the ONNX carries, from the section of the datasheet."""
    how = {k: v for k, v in preprocessing.items() if k != "labels"}
    return {"preprocessing": json.dumps(how), "labels": json.dumps(preprocessing["labels"])}
