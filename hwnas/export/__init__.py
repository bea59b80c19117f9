"""From a network, or any model, to a folder that can be handed over: an engine, its datasheet, a script to run it.

One export takes this way through the files:

    source           what was given: a run (`run_source`), a file or a model, with its `source_options`
    exportable       what the rest asks of it, whatever it is
    item             a network of a space, its weights from `weights` or, of a run, from `run_weights`
    model_item       any other model, opened by `model_source`, at other batches by `model_batches`; `image_input` says
                     whether it classifies images, and how these are prepared
    pipeline         the whole way of some items together; `many` repeats it for a whole front, and resumes
    build            one engine in a folder, in a format of `engines`; int8 by `quantise` (`quantise_model` for models
                     made elsewhere) with images or arrays of `calibration`
    engine_selection the choice among all engines, for `--engine auto`, as `judge` finds; `torch_session` for comparison
    parity           whether the engine computes what its reference does, and its accuracy on images of `labelled`;
                     `answers` keeps the reference's outputs, `classes` counts right and wrong ones by class
    runtime_costs    throughput, memory and cold start, beside the latency that `pipeline` measures
    datasheet        the file, its `datasheet_schema` and its `datasheet_page`; `datasheet_builder` collects its content
    inference_script the text of the exported `run.py`; `array_script` where the model takes no images

and a folder that exists: `validate` measures it again, `rebuild` makes its engine anew for this machine.
"""

from hwnas.callable_room import make_callable

make_callable(__name__, "hwnas.api.exporting:export")  # so that `hwnas.export(…)` is the command too
