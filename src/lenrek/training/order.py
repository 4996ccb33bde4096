"""In which order samples come in an epoch, and which of them each process loads for each of its steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lenrek.data.samples import Batch
from lenrek.training import processes


def epoch_order(indices: np.ndarray, seed: int, epoch: int) -> np.ndarray:
    """The order in which the training samples come in this epoch."""
    return np.random.default_rng((seed, epoch)).permutation(indices)


def times_before(order: np.ndarray) -> np.ndarray:
    """For each entry how often the same one came before.

    >>> times_before(np.array([7, 3, 7, 7, 3]))
    array([0, 0, 1, 2, 1])
    """
    by_value = np.argsort(order, kind="stable")
    ascending = order[by_value]
    times = np.empty(len(order), np.int64)
    times[by_value] = np.arange(len(order)) - np.searchsorted(ascending, ascending)
    return times


@dataclass(frozen=True)
class EpochPlan:
    """What this process does in an epoch.

    Attributes:
        order: source indices to load, `loaded` for each step.
        copy: how often each sample came before in the epoch, in any process.
        share: samples of each step that are this process's own: the first of those loaded.
        loaded: more than `share` where the samples to mix in are another process's own.
    """

    order: np.ndarray
    copy: np.ndarray
    share: int
    loaded: int

    @property
    def steps(self) -> int:
        return len(self.order) // self.loaded

    def step(self, batch: Batch) -> int:
        """Which of the epoch's steps this batch is for, from 0."""
        return int(batch.place[0]) // self.loaded

    def pairs(self, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        """Positions in the batch of its own samples, and of what is mixed into each: the next one of the whole step.

        A sample whose next one cannot be read is paired with itself.
        """
        place = batch.place % self.loaded
        position = np.full(self.loaded, -1)
        position[place] = np.arange(len(place))
        own = np.flatnonzero(place < self.share)
        after = place[own] + self.share if self.loaded > self.share else (place[own] + 1) % self.share
        return own, np.where(position[after] < 0, own, position[after])


def plan_epoch(order: np.ndarray, batch_size: int, mixed: bool) -> EpochPlan:
    """This process's part of the whole steps in `order`, the same number in every process.

    Args:
        order: source indices, of all processes.
        batch_size: samples per step of all processes.
        mixed: whether each sample needs the next one of its step, too.
    """
    place, share = processes.my_share(np.arange(len(order)), batch_size)
    loaded = share
    if mixed and processes.world_size() > 1:
        following = place // batch_size * batch_size + (place + 1) % batch_size
        place = np.hstack([place.reshape(-1, share), following.reshape(-1, share)]).reshape(-1)
        loaded = 2 * share
    return EpochPlan(order[place], times_before(order)[place], share, loaded)
