"""A policy with everything it needs to know about the samples of one training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from lenrek.data.augmentation.policy import Policy
from lenrek.data.samples import Batch, Samples


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

    def apply(self, batch: Batch, epoch: int) -> Tensor:
        """The batch's samples as they are in this epoch."""
        return self.policy.apply(
            batch.x, batch.index, self.seed, epoch, labels=batch.labels, classes=self.classes, others=self.others
        )
