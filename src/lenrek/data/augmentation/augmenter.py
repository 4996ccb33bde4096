"""A policy with everything it needs to know about the samples of one training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from lenrek.data.augmentation.policy import Policy
from lenrek.data.samples import Batch, Samples

COPY_BIT = 40  # above all source indices: the number of a copy is a part of what its draws follow from


@dataclass(frozen=True)
class SampleOthers:
    """Samples to superimpose, out of all that are trained on: the same ones whatever batch and process asks.

    Attributes:
        index: source indices.
    """

    samples: Samples
    index: np.ndarray

    def fetch(self, index: np.ndarray) -> tuple[Tensor, np.ndarray]:
        batch = next(iter(self.samples.batches(index, len(index))), None)
        if batch is None:  # none of them can be read
            return next(self.samples.batches(self.samples.index[:1], 1)).x[:0], index[:0]
        return batch.x, batch.index


@dataclass(frozen=True)
class Augmenter:
    """Changes the batches of a training.

    Attributes:
        classes: names of the labels.
        others: where samples to superimpose come from.
    """

    policy: Policy
    classes: tuple[str, ...]
    seed: int
    others: SampleOthers

    def apply(self, batch: Batch, epoch: int, copy: np.ndarray | int = 0) -> Tensor:
        """The batch's samples as they are in this epoch.

        Args:
            copy: how often each sample, (batch,), or all came before in the epoch: every time differently changed.
        """
        drawn_as = batch.index + (np.asarray(copy, np.int64) << COPY_BIT)
        return self.policy.apply(
            batch.x, drawn_as, self.seed, epoch, labels=batch.labels, classes=self.classes, others=self.others
        )
