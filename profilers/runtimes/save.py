"""ONNX models saved as the files that a CPU runtime loads without converting or optimising them again.

ONNX Runtime's own format (.ort) holds the graph after all optimisations, with layouts for the CPU's vector width, so it
is for one version and one kind of CPU. OpenVINO's IR (.xml, .bin) is optimised when it is compiled, on any CPU.
Source: ONNX Runtime, "ORT model format"; OpenVINO, "OpenVINO IR format".
"""

from __future__ import annotations

from pathlib import Path

from profilers.base import Options
from profilers.errors import BadInput
from profilers.runtimes.onnxruntime import OnnxRuntime, optimisation_level
from profilers.runtimes.openvino import OpenVino

SIXTEEN_BIT = ("bf16", "fp16")  # precisions that need weights of 16 bits only


def save_optimised(model: bytes, options: Options, path: Path) -> None:
    """Optimise for this CPU and write ONNX Runtime's format to `path` (.ort).

    Raises:
        EngineUnavailable: no ONNX Runtime. BadInput: a model that it refuses, or an unknown level of optimisation.
    """
    OnnxRuntime().require(options)
    import onnxruntime as ort

    settings = ort.SessionOptions()
    settings.log_severity_level = 4  # it warns that the file is for this CPU
    settings.graph_optimization_level = optimisation_level(options)
    settings.optimized_model_filepath = str(path)
    settings.add_session_config_entry("session.save_model_format", "ORT")
    try:
        ort.InferenceSession(model, settings, providers=[OnnxRuntime.provider])
    except Exception as error:  # ORT's exceptions have no common base
        raise BadInput(f"ONNX Runtime refuses the model: {error}", "an ONNX model") from error


def save_ir(model: bytes, options: Options, path: Path) -> None:
    """Write OpenVINO's IR to `path` (.xml) and its weights beside it (.bin); fp16 where 16 bits are computed with.

    Raises:
        EngineUnavailable: no OpenVINO. BadInput: a model that it refuses, or a precision that it lacks here.
    """
    OpenVino().require(options)
    import openvino

    try:
        graph = openvino.Core().read_model(model)
        openvino.save_model(graph, path, compress_to_fp16=options.precision in SIXTEEN_BIT)
    except Exception as error:  # RuntimeError, or one of openvino's own
        raise BadInput(f"OpenVINO refuses the model: {error}", "an ONNX model") from error
