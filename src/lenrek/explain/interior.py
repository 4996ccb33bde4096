"""Which outputs say something about the layer alone: those whose windows see no border and nothing invented."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor

import torch
from torch import Tensor, nn

from lenrek.errors import LenrekError
from lenrek.explain.layer_outputs import Network
from lenrek.explain.receptive import receptive_field as traced_fields
from lenrek.explain.transform import Frame, Grid, Transform
from lenrek.geometry.receptive import ReceptiveField


class _Function(nn.Module):
    """A function, for those who ask for a module."""

    def __init__(self, function: Network) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def fields_of(model: Network, in_shape: Sequence[int], layer: str) -> list[ReceptiveField | None]:
    """Per spatial axis the receptive field of a layer's outputs; None where all see the whole axis, or it is unknown.

    Args:
        in_shape: (channels, *size).
        layer: its name, "" for the network's output.
    Example:
        >>> (field,) = fields_of(nn.Conv1d(1, 1, 3, stride=2, padding=1), (1, 9), "")
        >>> str(field.size), str(field.stride), str(field.start)
        ('3', '2', '-1')
    """
    try:
        found = traced_fields(model if isinstance(model, nn.Module) else _Function(model), in_shape)[layer].fields
    except LenrekError:  # it asks for values while it runs, so that its operators cannot be followed without
        return [None] * (len(in_shape) - 1)
    return [
        ReceptiveField(field.size, field.stride, field.start)
        if field.kind == "regular" and field.size and field.stride and field.stride > 0 and field.start is not None
        else None
        for field in found
    ]


def output_frame(fields: list[ReceptiveField | None], size: tuple[int, ...], frame: Frame) -> Frame:
    """Where the outputs lie: at the centres of their receptive fields, or spread evenly over the input if unknown."""
    grids = []
    for field, n, given in zip(fields, size, frame.grids, strict=True):
        if field is None:
            step = given.size / n
            grids.append(Grid((step - 1) / 2, step, n))
        else:
            grids.append(Grid(float(field.centre(0)), float(field.stride), n))
    return Frame(tuple(grids), frame.centre)


def interior(
    transform: Transform, size: float, fields: list[ReceptiveField | None], given: Frame, output: Frame
) -> Tensor:
    """(1, 1, *out_size), bool: the outputs of G(T f) and T(G f) that depend on samples of f alone.

    Of G(T f) an output counts if its whole window lies inside the input and holds none of the samples that the
    transform invented; of T(G f), if all outputs that it is interpolated from have their windows inside.
    """
    out_size = tuple(grid.size for grid in output.grids)
    if any(field is None for field in fields):
        return torch.zeros(1, 1, *out_size, dtype=torch.bool)
    everything = torch.ones([grid.size for grid in given.grids], dtype=torch.bool)
    real = transform.known(everything, given, size)
    transformed = transform.known(_whole_windows(everything, fields, out_size), output, size)
    return (_whole_windows(real, fields, out_size) & transformed)[None, None]


def _whole_windows(valid: Tensor, fields: list[ReceptiveField | None], out_size: tuple[int, ...]) -> Tensor:
    """Which outputs see valid samples alone."""
    for axis, (field, n) in enumerate(zip(fields, out_size, strict=True)):
        assert field is not None
        size = valid.shape[axis]
        starts = [floor(field.start + field.stride * p) for p in range(n)]
        stops = [ceil(field.start + field.stride * p + field.size) for p in range(n)]
        before = torch.nn.functional.pad((~valid).long().movedim(axis, -1).cumsum(-1), (1, 0))
        inside = torch.tensor([start >= 0 and stop <= size for start, stop in zip(starts, stops, strict=True)])
        first, final = torch.tensor(starts).clamp(0, size), torch.tensor(stops).clamp(0, size)
        valid = ((before[..., final] == before[..., first]) & inside).movedim(-1, axis)
    return valid
