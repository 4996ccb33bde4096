"""Receptive fields compared with what is measured, layer by layer and feature by feature."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from explain.measured_reach import Reached, by_not_a_number, ends
from lenrek.explain.layer_field import LayerField, axes_of
from lenrek.explain.receptive import ReceptiveFields, receptive_field

Measure = Callable[[nn.Module, tuple[int, ...], int], Reached]


def check_fields(
    model: nn.Module, shape: tuple[int, ...], measure: Measure = by_not_a_number, *, formula: str = "none"
) -> ReceptiveFields:
    """Every feature of every module has exactly the box that is measured.

    Args:
        formula: what holds of the formula that knows no borders. "holds": all boxes lie in it, as where all padding is
            zeros. "equal": away from the borders it is the box, as where moreover nothing is cut off.
    """
    found = receptive_field(model, shape)
    layers = {layer.name: layer for layer in found.layers}
    for place, axis in enumerate(axes_of((1, *shape))):
        for path, reached in measure(model, shape, axis).items():
            if path not in layers:  # made of weights alone
                assert not reached.any(), path
                continue
            first, last = ends(reached)
            _check_boxes(layers[path], place, first, last)
            if formula != "none" and layers[path].fields[place].kind in ("regular", "whole", "part"):
                _check_formula(layers[path], place, first, last, formula == "equal")
    return found


def _check_boxes(layer: LayerField, place: int, first: torch.Tensor, last: torch.Tensor) -> None:
    span = layer.spans[0][place]
    assert not span.unknown, (layer.name, span.unknown)
    ours = [end.expand(layer.shape) for end in (span.first, span.last)]
    none = ours[0] > ours[1]
    for end, measured in zip(ours, (first, last), strict=True):
        torch.testing.assert_close(torch.where(none, -1, end), measured, msg=lambda text: f"{layer.name}: {text}")


def _check_formula(layer: LayerField, place: int, first: torch.Tensor, last: torch.Tensor, equal: bool) -> None:
    field, form = layer.fields[place], layer.spans[0][place].form
    first, last = first.double(), last.double()
    low = torch.full(layer.shape, float(form.start), dtype=torch.float64)
    for axis, size in enumerate(layer.shape):
        shifts = torch.tensor([float(form.shifted(axis, p)) for p in range(size)], dtype=torch.float64)
        low = low + shifts.reshape([-1 if other == axis else 1 for other in range(len(layer.shape))])
    high = low + float(form.size) - 1
    reads = last >= 0
    assert (low <= first + 1e-9)[reads].all(), (layer.name, "starts before its formula")
    assert (high >= last - 1e-9)[reads].all(), (layer.name, "ends after its formula")
    if equal and not field.bound:
        if len(layer.shape) > 1 and 1 not in form.moving:  # of all channels: branches beside each other see less
            first = torch.where(reads, first, form.in_size).amin(1)
            last, reads, low, high = last.amax(1), reads.any(1), low[:, 0], high[:, 0]
        inside = reads & (low >= 0) & (high <= form.in_size - 1)
        torch.testing.assert_close(first[inside].double(), low[inside])
        torch.testing.assert_close(last[inside].double(), high[inside])
