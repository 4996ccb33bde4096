"""Samples in batches, as training and evaluation ask for them: the one interface over memory and files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from lenrek.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Samples as they are stored, before augmentation and normalisation.

    Attributes:
        x: (batch, channels, *size), uint8, int16 or float32; the receiver's own, to change at will.
        labels: (batch,) int64.
        index: (batch,) int64, which samples of the source these are.
        place: (batch,) int64, where in the order that was asked for each of them stood.
    """

    x: Tensor
    labels: Tensor
    index: np.ndarray
    place: np.ndarray


class Samples(Protocol):
    """Labelled samples, fitted to a network's input, in any order."""

    @property
    def index(self) -> np.ndarray:
        """Source indices of the samples that can be read, ascending; those found damaged on the way leave it."""
        ...

    def batches(self, order: np.ndarray, batch_size: int) -> Iterator[Batch]:
        """Every `batch_size` entries of `order` as one batch, the last one shorter.

        Damaged samples are left out of their batch, so that the others stay where they are.

        Args:
            order: source indices; may repeat.
        Raises:
            DataError: `order` holds what was never asked for.
        """
        ...


def cut_batches(order: np.ndarray, batch_size: int, asked: np.ndarray) -> list[np.ndarray]:
    """`order` in pieces of `batch_size`.

    Args:
        asked: (samples of the source,) bool, which of them may occur.
    Example:
        >>> cut_batches(np.array([4, 0, 2]), 2, np.ones(5, bool))
        [array([4, 0]), array([2])]
    """
    order = np.asarray(order, np.int64)
    outside = (order < 0) | (order >= len(asked))
    outside[~outside] = ~asked[order[~outside]]
    if outside.any():
        raise DataError(f"batches: sample {order[outside][0]} is not among the {asked.sum():,} loaded.")
    return [order[first : first + batch_size] for first in range(0, len(order), batch_size)]
