"""From a chosen architecture to a folder that can be handed over: an engine, its datasheet, and a script to run it.

One export takes this way through the files:

    source           what was given: a run (`run_source`) or a file, with its `source_options`
    item             the ExportItem made of it, its weights from `weights` or, of a run, from `run_weights`
    pipeline         the whole way of some items together; `many` repeats it for a whole front, and resumes
    build            one engine in a folder, in a format of `engines`; int8 by `quantise` with images of `calibration`
    engine_selection the choice among all engines, for `--engine auto`; `torch_session` is what they are compared with
    parity           whether the engine computes what torch does, and its accuracy
    runtime_costs    throughput, memory and cold start, beside the latency that `pipeline` measures
    datasheet        the file, its schema and its Markdown; `datasheet_builder` collects what stands in it
    inference_script the text of the exported `run.py`

and a folder that exists: `validate` measures it again, `rebuild` makes its engine anew for this machine.
"""

from hwnas.callable_room import make_callable

make_callable(__name__, "hwnas.api.engines:export")  # so that `hwnas.export(…)` is the command too
