"""`run.py` of a model that takes no images: it runs on arrays, with the runtime and numpy alone.

Words in single braces are a loader's parts (`hwnas.export.inference_script`).
"""

SAY = '''\
def plain(text):
    """A line without what commands a terminal: names come from a file."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(str(text).split()))


def stop(why):
    """One line, as a program that calls this one expects it."""
    print("run.py:", plain(why) or type(why).__name__, file=sys.stderr)
    sys.exit(2)
'''
"""What both kinds of `run.py` say to people, and how they end."""

TEXT = (
    '''\
"""Run the model on arrays: python run.py INPUTS.npz [--out OUTPUTS.npz]. Needs {needs} and numpy.

INPUTS.npz has an array for each input, under its name; NAME=FILE.npy gives one of them, and may stand there several
times. `python run.py` alone says what the inputs are. Without --out, the outputs are summarised.
"""

import json, pathlib, sys

import numpy as np


'''
    + SAY
    + '''

def read(arguments, inputs):
    """Arrays by input's name."""
    feeds = {{}}
    for argument in arguments:
        name, _, path = argument.rpartition("=")
        found = np.load(path, allow_pickle=False)
        if hasattr(found, "files"):
            feeds.update({{key: found[key] for key in found.files}})
        else:
            feeds[name or next(iter(inputs))] = found
    return feeds


def check(feeds, inputs, dynamic):
    """The arrays in the inputs' types; stops where they do not fit."""
    for name in feeds.keys() ^ inputs.keys():
        stop(f"{{'no' if name in inputs else 'an unknown'}} input {{name}}; the model takes {{about(inputs)}}")
    for name, values in feeds.items():
        shape, kind = tuple(inputs[name]["shape"]), inputs[name]["dtype"]
        same = values.shape[1:] == shape[1:] and len(values.shape) == len(shape) if dynamic else values.shape == shape
        if not same or not np.can_cast(values.dtype, kind, "same_kind"):
            stop(f"input {{name}} is {{values.shape}} {{values.dtype}}; the model takes {{about(inputs)}}")
    return {{name: np.ascontiguousarray(feeds[name], inputs[name]["dtype"]) for name in inputs}}


def about(inputs):
    """As in `tokens [1, 128] int64`."""
    return ", ".join(f"{{name}} {{t['shape']}} {{t['dtype']}}" for name, t in inputs.items()) or "nothing"


def main(arguments):
    """Run once."""
    out = arguments.pop() if "--out" in arguments[-2:-1] else None
    arguments = [a for a in arguments if a != "--out"]
    try:
        here = pathlib.Path(__file__).parent
        sheet = json.loads((here / "datasheet.json").read_text(encoding="utf-8"))
        inputs, dynamic = sheet["inputs"], sheet["engine"].get("dynamic_batch", False)
        if inputs and not arguments:
            stop(f"no arrays: python run.py INPUTS.npz [--out OUTPUTS.npz]; the model takes {{about(inputs)}}")
        feeds = check(read(arguments, inputs), inputs, dynamic)
    except (OSError, EOFError) as error:
        stop(error)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        stop(f"the arrays or datasheet.json cannot be read: {{error!r}}")
    for line in sheet.get("warnings", []):
        print("warning:", plain(line), file=sys.stderr)
    try:
        import {imports}

{load}
        outputs = {call}
    except Exception as error:  # each runtime has its own
        stop(f"the engine cannot be run: {{error}}")
    if out is not None:
        np.savez(out, **{{name: np.asarray(values) for name, values in outputs.items()}})
    for name, values in outputs.items():
        ends = f"{{values.min():.6g}} to {{values.max():.6g}}, mean {{values.mean():.6g}}" if values.size else "empty"
        print(f"{{plain(name)}}: {{list(values.shape)}} {{values.dtype}}, {{ends}}")


if __name__ == "__main__":
    main(sys.argv[1:])
'''
)
