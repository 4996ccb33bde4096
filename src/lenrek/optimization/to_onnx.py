"""A network for ONNX Runtime and whatever else reads ONNX: converted from its graph.

Source: Open Neural Network Exchange, https://onnx.ai.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.export import ExportedProgram

from lenrek.optimization.program import INPUT, OUTPUT, converting, require

if TYPE_CHECKING:
    import onnx


def to_onnx(program: ExportedProgram) -> onnx.ModelProto:
    """A program of `export_program` as an ONNX model from "input" to "output".

    Raises:
        MissingEngineError: the extra is not installed.
        NotConvertedError: ONNX does not know something in it.
    """
    require("ONNX", "onnx", "onnx", "onnxscript", "onnxruntime")
    with converting("ONNX cannot express the network"):
        converted: Any = torch.onnx.export(
            program, input_names=[INPUT], output_names=[OUTPUT], dynamo=True, verbose=False
        )
        model = converted.model_proto
    _name_batch(model.graph)
    return model


def _name_batch(graph: onnx.GraphProto) -> None:
    """Call the one open axis "batch", and no more by the exporter's number for it."""
    for value in (*graph.input, *graph.output, *graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.dim_param = "batch"


class OnnxRunner:
    """Runs a converted network in ONNX Runtime, in float32, on as many threads as PyTorch has.

    Args:
        model: the bytes of an ONNX model.
    """

    def __init__(self, model: bytes) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self.name = f"ONNX Runtime {onnxruntime.__version__}"
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def __call__(self, x: Tensor) -> Tensor:
        (found,) = self._session.run([OUTPUT], {INPUT: x.contiguous().numpy()})
        return torch.from_numpy(found)
