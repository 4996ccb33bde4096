"""Which inputs a layer's outputs depend on, measured: a NaN put into the input comes out wherever it is seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import torch
from torch import Tensor

from lenrek.geometry.receptive import ReceptiveField

AT_ONCE = 32  # probes in one batch


def measured_fields(layer: Callable[[Tensor], Tensor], shape: Sequence[int]) -> list[ReceptiveField | None]:
    """Per spatial axis the receptive field of a layer's outputs; None on an axis where every output sees an end.

    One probe per axis and position: a slab of NaN there. Whatever reads it becomes NaN, also where a weight or a
    gradient is zero, so that what counts is what a layer may depend on, not what it happens to. An operator that
    mixes all samples (global pooling, a convolution computed in the Fourier domain) makes every output see everything.

    Args:
        layer: from (batch, channels, *size) to (batch, channels, *out_size), each sample by itself.
        shape: (channels, *size).
    Example:
        >>> (field,) = measured_fields(torch.nn.Conv1d(1, 1, 3, stride=2, padding=1), (1, 9))
        >>> str(field.size), str(field.stride), str(field.start)
        ('3', '2', '-1')
    """
    return [_field(_seen(layer, shape, axis)) for axis in range(len(shape) - 1)]


def _seen(layer: Callable[[Tensor], Tensor], shape: Sequence[int], axis: int) -> Tensor:
    """(out, in) bool: which output places along the axis see which input places."""
    size, columns = shape[1 + axis], []
    for first in range(0, size, AT_ONCE):
        count = min(AT_ONCE, size - first)
        x = torch.zeros(count, *shape)
        for probe in range(count):
            x[probe].select(1 + axis, first + probe).fill_(torch.nan)
        unknown = layer(x).isnan().movedim(2 + axis, 1)
        columns.append(unknown.flatten(2).any(2) if unknown.ndim > 2 else unknown)
    return torch.cat(columns).T


def _field(seen: Tensor) -> ReceptiveField | None:
    """What describes all outputs that the border does not cut.

    The first input seen is the field's own unless it is the first there is, which may be all that the border left of
    it; so the starts are known from some outputs, the ends from others.
    """
    last = seen.shape[1] - 1
    places = [row.nonzero().flatten() for row in seen]
    starts = {p: int(found[0]) for p, found in enumerate(places) if len(found) and found[0] > 0}
    stops = {p: int(found[-1]) for p, found in enumerate(places) if len(found) and found[-1] < last}
    longest = max((starts, stops), key=len)
    if not starts or not stops:
        return None
    if len(longest) < 2:
        stride = Fraction(seen.shape[1], len(seen))  # a single output, or two: nothing lies beside another
    else:
        low, high = min(longest), max(longest)
        stride = Fraction(longest[high] - longest[low], high - low)
    start = min(first - stride * p for p, first in starts.items())
    end = max(final - stride * p for p, final in stops.items())
    return ReceptiveField(size=end - start + 1, stride=stride, start=start)
