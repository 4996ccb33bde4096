"""A feature map as one vector: average, generalised mean, maximum, and maxima of regions."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lenrek.errors import OptionError

Pooling = Literal["average", "gem", "max", "rmac"]
SMALLEST = 1e-6  # a mean of powers needs numbers above 0: ReLU's zeros are taken for this
LEVELS = (1, 2, 3)


class Pool(nn.Module):
    """(batch, channels, *size) to (batch, channels); what has no axes beyond the channels is left as it is.

    - `average`: the mean over all places.
    - `gem`: the generalised mean (Σ xᵖ / places)^(1/p); p = 1 is the average, p → ∞ the maximum. Numbers below 0 count
      as 0.
    - `max`: the largest over all places.
    - `rmac`: the maxima of square regions of three sizes that overlap, each of unit length, added up.

    Args:
        power: p of `gem`.
    Raises:
        OptionError: an unknown pooling, or a power below 1.
    Source: Radenović, Tolias & Chum 2019, arXiv:1711.02512, §3.2 (GeM); Tolias, Sicre & Jégou 2016, arXiv:1511.05879,
    §4.1 (R-MAC).
    Example:
        >>> x = torch.tensor([[[[1.0, 3.0], [2.0, 4.0]]]])
        >>> [round(Pool(kind, power=2)(x).item(), 4) for kind in ("average", "gem", "max")]
        [2.5, 2.7386, 4.0]
    """

    def __init__(self, kind: Pooling = "average", power: float = 3.0) -> None:
        super().__init__()
        if kind not in get_args(Pooling):
            raise OptionError(f"index: pooling is {kind!r}, expected one of {', '.join(get_args(Pooling))}.")
        if not power >= 1:
            raise OptionError(f"index: power is {power}, expected at least 1, which is the average.")
        self.kind, self.power = kind, power

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim == 2:
            return x
        axes = tuple(range(2, x.ndim))
        if self.kind == "max":
            return x.amax(axes)
        if self.kind == "rmac":
            return _regional_maxima(x)
        if self.kind == "average" or self.power == 1:
            return x.mean(axes)
        return x.clamp(min=SMALLEST).pow(self.power).mean(axes).pow(1 / self.power)


def _regional_maxima(x: Tensor) -> Tensor:
    whole = slice(None)
    maxima = [x[(whole, whole, *region)].flatten(2).amax(2) for region in regions(tuple(x.shape[2:]))]
    return F.normalize(F.normalize(torch.stack(maxima), dim=2).sum(0), dim=1)


def regions(size: tuple[int, ...]) -> list[tuple[slice, ...]]:
    """The regions of `rmac`: for each level l squares (cubes) of side 2·shortest/(l + 1), evenly spaced on every axis.

    On an axis there are l of them, more where it is longer: as many as overlap by 40 % at least.

    >>> [region[0].indices(6)[:2] for region in regions((6,))]
    [(0, 6), (0, 4), (2, 6), (0, 3), (2, 5), (3, 6)]
    >>> len(regions((6, 6))), len(regions((6, 12)))
    (14, 34)
    """
    found: list[tuple[slice, ...]] = []
    for level in LEVELS:
        side = max(1, 2 * min(size) // (level + 1))
        starts = [_starts(length, side, level) for length in size]
        places: list[tuple[slice, ...]] = [()]
        for axis in starts:
            places = [(*place, slice(start, start + side)) for place in places for start in axis]
        found += places
    return found


def _starts(length: int, side: int, level: int) -> list[int]:
    room = length - side
    step = max(1.0, 0.6 * side)
    count = min(room + 1, max(level, 1 + -int(-room // step)))
    return [round(room * number / (count - 1)) for number in range(count)] if count > 1 else [room // 2]
