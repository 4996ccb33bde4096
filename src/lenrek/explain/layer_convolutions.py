"""Which fully connected layers of a network are convolutions in disguise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import nn

from lenrek.errors import ModelError
from lenrek.explain.find_convolution import find_convolution
from lenrek.explain.found_convolution import FoundConvolution
from lenrek.explain.layer_outputs import find_layer
from lenrek.explain.record import Trace
from lenrek.explain.trace import trace
from lenrek.ops.mode import in_mode

WHO = "find_convolution"


@dataclass(frozen=True, eq=False)
class LayerConvolution:
    """A layer of a network seen as a convolution.

    Attributes:
        in_shape: (channels, *size) of the volume that it reads, as it was before it was flattened.
        found: the convolution that it is or is nearest to; None where the question has no meaning.
        why_not: why it has none; empty where there is one.
    """

    name: str
    type: str
    in_shape: tuple[int, ...]
    found: FoundConvolution | None
    why_not: str = ""

    def __str__(self) -> str:
        return self.why_not if self.found is None else str(self.found)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict."""
        told = {"name": self.name, "type": self.type, "in_shape": list(self.in_shape)}
        return {**told, "why_not": self.why_not} if self.found is None else {**told, **self.found.to_json()}


def layer_convolutions(
    model: nn.Module, in_shape: Sequence[int], *, tolerance: float | None = None
) -> Iterator[LayerConvolution]:
    """Every fully connected layer of `model`, in the order of running, and the convolution nearest to it.

    Args:
        in_shape: (channels, *size) of one input of the network.
        tolerance: as of `find_convolution`.
    Raises:
        ModelError: there is no such layer.
        TraceError: an input that the network does not take.
    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(30, 30, bias=False), nn.Linear(30, 2))
        >>> with torch.no_grad(): _ = model[1].weight.copy_(2 * torch.eye(30))
        >>> for layer in layer_convolutions(model, (1, 5, 6)): print(layer.name, layer)
        1 a convolution: kernel 1×1, no padding
        2 none: 30 inputs without axes, and 2 outputs
    """
    found = _traced(model, in_shape)
    runs = {run.path: (run, run.module) for run in found.modules if isinstance(run.module, nn.Linear)}
    if not runs:
        raise ModelError(f"{WHO}: {type(model).__name__} has no fully connected layer.")
    for path, (run, layer) in runs.items():
        shape = volume_into(found, path)
        why_not = _no_question(layer, shape, run.inputs[0].shape)
        answer = None if why_not else find_convolution(layer, shape, tolerance=tolerance)
        yield LayerConvolution(path, type(layer).__name__, shape, answer, why_not)


def input_of(model: nn.Module, in_shape: Sequence[int], layer: str) -> tuple[int, ...]:
    """(channels, *size) of what goes into `layer`, as it was before it was flattened.

    Raises:
        ModelError: no such layer, or it does not run.
    """
    if layer:
        find_layer(model, layer, WHO)
    return volume_into(_traced(model, in_shape), layer)


def volume_into(found: Trace, path: str) -> tuple[int, ...]:
    """The same for the first run of the module at `path`; a vector that never had axes is one channel of a signal."""
    run = next((run for run in found.modules if run.path == path), None)
    if run is None or not run.inputs:
        raise ModelError(f"{WHO}: layer {path} did not run, so that it has no input.")
    given = run.inputs[0]
    earlier = [*found.inputs, *(volume for call in found.calls[: run.first] for volume in call.outputs)]
    seen = (volume for volume in reversed(earlier) if volume is not None and volume.storage == given.storage)
    for volume in seen:  # views of the same memory: flattening computes nothing
        whole = volume.shape[0] == given.shape[0] and prod(volume.shape) == prod(given.shape)
        if whole and len(volume.shape) > 2:
            return volume.shape[1:]
    return given.shape[1:] if len(given.shape) > 2 else (1, *given.shape[1:])


def _traced(model: nn.Module, in_shape: Sequence[int]) -> Trace:
    with in_mode(model, training=False):
        return trace(model, [torch.empty(1, *in_shape, device="meta")], who=WHO)


def _no_question(layer: nn.Linear, shape: tuple[int, ...], given: tuple[int, ...]) -> str:
    """Why it is idle to ask; empty where it is not."""
    positions = prod(shape[1:])
    if len(given) > 2:
        return "none: it works on every position alone, as a convolution of kernel 1 does"
    if positions == 1:
        return "none: on a single position every matrix is a convolution of kernel 1"
    if layer.out_features % positions:
        inputs = (
            f"{shape[0]} × {positions} inputs" if len(shape) > 2 or shape[0] > 1 else f"{positions} inputs without axes"
        )
        return f"none: {inputs}, and {layer.out_features:,} outputs"
    return ""
