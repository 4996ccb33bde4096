"""The engines that can run a network for prediction: PyTorch, lenrek's own paths, OpenVINO, ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from lenrek.optimization.module import optimize
from lenrek.optimization.program import MissingEngineError, NotConvertedError, export_program
from lenrek.optimization.to_onnx import OnnxRunner, to_onnx
from lenrek.optimization.to_openvino import OpenVinoRunner, has_bfloat16, to_openvino

# The largest difference from PyTorch's float32, as a share of its largest output: a few hundred roundings of float32,
# a dozen of bfloat16, whose unit is 2⁻⁸ and which every layer makes at least once.
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 5e-2}

Run = Callable[[Tensor], Tensor]


@dataclass
class Engine:
    """One way to run a network.

    Attributes:
        name: "PyTorch", "lenrek", or another library with its version.
        dtype: in which it computes.
        times_s: the least time that a batch of so many samples took.
    """

    name: str
    dtype: torch.dtype
    run: Run
    times_s: dict[int, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name} in {str(self.dtype).removeprefix('torch.')}"


class InPyTorch:
    """Runs a module of PyTorch's without recording anything for gradients."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def __call__(self, x: Tensor) -> Tensor:
        with torch.inference_mode():
            y = self.network(x)
        # A copy out of inference mode, so that the caller may do anything with it.
        return y.to(torch.float32, copy=y.is_inference())


def other_engines(
    network: nn.Module, input_size: tuple[int, ...], dtype: torch.dtype, device: torch.device
) -> list[tuple[Engine | None, str]]:
    """Every engine beside PyTorch's plain float32, or why there is none."""
    own = [torch.float32] if dtype == torch.float32 else [torch.float32, torch.bfloat16]
    found: list[tuple[Engine | None, str]] = [
        (Engine("lenrek", type_, InPyTorch(optimize(network, type_, keep_memory_mapped=False))), "") for type_ in own
    ]
    if device.type != "cpu":
        return [*found, (None, f"the network is on {device}")]
    try:
        program = export_program(network, input_size)
    except NotConvertedError as error:
        return [*found, (None, str(error))]
    for runners in (_openvino, _onnx):
        try:
            found += [(Engine(runner.name, type_, runner), "") for type_, runner in runners(program, own)]
        except (MissingEngineError, NotConvertedError) as error:
            found.append((None, " ".join(str(error).split())))
    return found


def _openvino(program: ExportedProgram, dtypes: list[torch.dtype]) -> list[tuple[torch.dtype, OpenVinoRunner]]:
    model = to_openvino(program)
    usable = [type_ for type_ in dtypes if type_ == torch.float32 or has_bfloat16()]
    return [(type_, OpenVinoRunner(model, type_)) for type_ in usable]


def _onnx(program: ExportedProgram, dtypes: list[torch.dtype]) -> list[tuple[torch.dtype, OnnxRunner]]:
    return [(torch.float32, OnnxRunner(to_onnx(program).SerializeToString()))]


def disagreement(engine: Engine, x: Tensor, truth: Tensor) -> str:
    """How the engine's outputs, for many samples and for one, are not PyTorch's; empty where they are."""
    tolerance = TOLERANCE[engine.dtype]
    for batch in (len(x), 1):
        y, expected = engine.run(x[:batch]), truth[:batch]
        if y.shape != expected.shape:
            return f"{engine} returns {tuple(y.shape)} instead of {tuple(expected.shape)}"
        difference, largest = (y - expected).abs().max().item(), expected.abs().max().item()
        if not difference <= tolerance * largest:  # NaN is no agreement
            return (
                f"{engine} differs from PyTorch by {difference:.2g} where outputs reach {largest:.2g}; "
                f"at most {tolerance:g} of that is accepted"
            )
    return ""
