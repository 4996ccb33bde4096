"""A network for OpenVINO: converted from its graph, and run on the processor's own instructions.

Source: OpenVINO, https://docs.openvino.ai (PyTorch frontend; precision hints of the CPU plugin).
"""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.export import ExportedProgram

from lenrek.optimization.program import INPUT, OUTPUT, converting, inputs_of, require

if TYPE_CHECKING:
    import openvino


def to_openvino(program: ExportedProgram) -> openvino.Model:
    """A program of `export_program` as an OpenVINO model from "input" to "output".

    Raises:
        MissingEngineError: the extra is not installed.
        NotConvertedError: OpenVINO does not know something in it.
    """
    require("OpenVINO", "openvino", "openvino")
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.fx_decoder import TorchFXPythonDecoder

    with converting("OpenVINO cannot convert the network"):
        # The frontend by itself: `openvino.convert_model` would also report its use over the network.
        frontend = FrontEndManager().load_by_framework("pytorch")
        decoder = TorchFXPythonDecoder(program.module(), dynamic_shapes=True)
        model = frontend.convert(frontend.load(decoder))
        model.reshape([-1, *inputs_of(program)])
    model.inputs[0].set_names({INPUT})
    model.outputs[0].set_names({OUTPUT})
    return model


@cache
def openvino_core() -> openvino.Core:
    """OpenVINO's devices: the same object for the whole process.

    Each of several gives its thread another stack for signal handlers, and when it goes, back the one before, which may
    be gone: the next Ctrl-C would crash the process.
    """
    import openvino

    return openvino.Core()


class OpenVinoRunner:
    """Runs a converted network on as many threads as PyTorch has; from several threads one call after the other.

    Args:
        model: of `to_openvino`.
        dtype: `torch.bfloat16` where the processor has it, or `torch.float32`.
    """

    def __init__(self, model: openvino.Model, dtype: torch.dtype) -> None:
        import openvino

        wanted = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "bf16" if dtype == torch.bfloat16 else "f32",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "ENABLE_CPU_PINNING": False,  # pinned threads wait where another program holds their core
        }
        self.name = f"OpenVINO {openvino.get_version().partition('-')[0]}"
        self._request = openvino_core().compile_model(model, "CPU", wanted).create_infer_request()
        self._lock = threading.Lock()

    def __call__(self, x: Tensor) -> Tensor:
        with self._lock:
            found = self._request.infer({0: x.contiguous().numpy()}, share_inputs=True, share_outputs=True)
            return torch.from_numpy(found[0].copy())  # the next call overwrites what it shares


def has_bfloat16() -> bool:
    """Whether OpenVINO computes in bfloat16 on this processor faster than by imitation."""
    return "BF16" in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
