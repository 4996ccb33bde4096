"""The largest of some samples along one axis after the other, with its derivative and its position."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lenrek.ops.pooling.arguments import is_traced

Selection = slice | list[int]


def largest(
    x: Tensor,
    selections: Sequence[Sequence[Selection]],
    origins: Sequence[Sequence[int | None]],
    in_size: Sequence[int],
    return_indices: bool,
) -> tuple[Tensor, Tensor | None]:
    """The elementwise maximum of selections from each of the last axes.

    The last axis goes first, so that among equals the first in row-major order stays; of several NaN the last one does.

    Args:
        selections: per axis, the positions to compare: the first, second, … sample of every window.
        origins: per axis, the sample of the unpadded input found at each position.
        in_size: samples of the unpadded input per axis.
        return_indices: whether to say where the maxima are: row-major positions in the unpadded input.
    """
    places = _places(x, origins, in_size) if return_indices else None
    exact = return_indices or is_traced(x)
    for axis in reversed(range(x.ndim - len(selections), x.ndim)):
        first, *rest = selections[axis - x.ndim]
        best = _take(x, axis, first)
        place = None if places is None else _take(places, axis, first)
        for selection in rest:
            other = _take(x, axis, selection)
            if not exact:
                best = torch.maximum(best, other)  # the quickest, but it shares the derivative among equals
                continue
            better = other > best
            if x.is_floating_point():
                better = better | other.isnan()
            best = torch.where(better, other, best)
            if places is not None and place is not None:
                place = torch.where(better, _take(places, axis, selection), place)
        x, places = best, place
    return x, places


def _places(x: Tensor, origins: Sequence[Sequence[int | None]], in_size: Sequence[int]) -> Tensor:
    """For each sample of the padded `x` its position in the unpadded input."""
    places = torch.zeros((), dtype=torch.int64, device=x.device)
    for axis_origins, size in zip(origins, in_size, strict=True):
        along = torch.tensor(list(axis_origins), device=x.device)
        places = places.unsqueeze(-1) * size + along
    return places.expand(x.shape)


def _take(x: Tensor, axis: int, selection: Selection) -> Tensor:
    if isinstance(selection, slice):
        return x[(slice(None),) * axis + (selection,)]
    return x.index_select(axis, torch.tensor(selection, device=x.device))
