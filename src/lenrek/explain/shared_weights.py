"""The kernel that a matrix would share: for every distance between output and input, the median of its entries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

import torch
from torch import Tensor

SUPPORT = 1e-6  # of the largest weight: what is smaller is taken for rounding


@dataclass(frozen=True)
class Offsets:
    """The distances input − stride·output along one axis, numbered from 0; around the circle where `circular`."""

    in_size: int
    out_size: int
    stride: int
    circular: bool

    @property
    def least(self) -> int:
        return 0 if self.circular else -self.stride * (self.out_size - 1)

    @property
    def count(self) -> int:
        return self.in_size if self.circular else self.in_size - self.least

    def numbers(self) -> Tensor:
        """(out_size, in_size): the number of the distance of each pair."""
        places = torch.arange(self.in_size) - self.stride * torch.arange(self.out_size)[:, None]
        return places % self.in_size if self.circular else places - self.least

    def window(self, support: Tensor, axis: int) -> tuple[int, tuple[int, int]]:
        """Kernel size and padding of the smallest window that holds the support (bool, of all axes' distances).

        Example:
            >>> Offsets(8, 8, 1, circular=True).window(torch.tensor([1, 1, 0, 0, 0, 0, 0, 1]).bool(), 0)
            (3, (1, 1))
        """
        others = [other for other in range(support.ndim) if other != axis]
        used = support.any(dim=others) if others else support
        places = used.nonzero().flatten().tolist() or [-self.least]
        first, last = places[0] + self.least, places[-1] + self.least
        if self.circular and len(places) < self.count:  # cut the circle open at its largest gap
            around = [*places, places[0] + self.count]
            gaps = [after - before for before, after in pairwise(around)]
            cut = max(range(len(gaps)), key=lambda i: gaps[i])
            first, last = around[cut + 1] % self.count, around[cut]
            first -= self.count if first > last else 0
        first = min(first, 0)  # a window begins at the first sample or before
        after = self.stride * (self.out_size - 1) + last + 1 - self.in_size
        if after <= -self.stride:  # and its last one leaves no room for another
            last, after = last - after - (self.stride - 1), 0
        return last - first + 1, (-first, max(after, 0))


def consensus(matrix: Tensor, offsets: Sequence[Offsets], least: float = SUPPORT) -> Tensor:
    """Which distances have a weight: bool, one axis for each of `offsets`.

    Args:
        matrix: (out_channels, out_sites, in_channels, in_sites), row-major.
        least: of the largest weight: what is not larger counts as none.
    """
    counts = [one.count for one in offsets]
    number = torch.zeros((), dtype=torch.int64)
    for axis, one in enumerate(offsets):
        shape = [1] * (2 * len(offsets))
        shape[axis], shape[len(offsets) + axis] = one.out_size, one.in_size
        number = number * one.count + one.numbers().reshape(shape)
    number, order = number.flatten().sort(stable=True)
    entries = matrix.detach().cpu().permute(1, 3, 0, 2).flatten(0, 1).flatten(1)[order]
    kernel = torch.zeros(prod(counts), dtype=entries.dtype)
    present, amounts = number.unique_consecutive(return_counts=True)
    for distance, shared in zip(present.tolist(), entries.split(amounts.tolist()), strict=True):
        kernel[distance] = shared.median(0).values.abs().max()
    return (kernel > least * kernel.max()).reshape(counts)
