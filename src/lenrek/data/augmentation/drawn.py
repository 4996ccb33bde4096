"""What becomes of each sample of a batch: the amounts and random numbers of its transforms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lenrek.data.augmentation.draws import bits, draw
from lenrek.data.augmentation.fitted import Fitted
from lenrek.data.augmentation.ready import LEVELS
from lenrek.data.augmentation.steps import Step
from lenrek.data.augmentation.transforms import CHANCE_DRAW, ON_DRAW, SELECT_DRAW, TRANSFORMS


class Drawn:
    """Random numbers for a batch.

    Attributes:
        index: (batch,) source indices.
        amount: per transform that happens to any sample, (batch,) float64: how far it may go; 0 where it does not
            happen, 1 where it happens and has no amount.
    """

    def __init__(self, index: np.ndarray, seed: int, epoch: int) -> None:
        self.index, self.seed, self.epoch = index, seed, epoch
        self.amount: dict[str, np.ndarray] = {}
        self._chosen = np.zeros(len(index), bool)

    def add(self, fitted: Fitted, which: np.ndarray) -> None:
        """Draw what happens to the samples at the positions `which`."""
        if not len(which):
            return
        for step in fitted.steps.values():
            amount = np.full(len(which), 1.0 if step.amount is None else step.amount)
            if step.probability < 1:
                number = ON_DRAW.get(step.name, TRANSFORMS[step.name].number + CHANCE_DRAW)
                amount[draw(self.seed, self.epoch, self.index[which], number) >= step.probability] = 0
            self._put(step.name, which, amount)
        if fitted.choices:
            self._choose(fitted, which)

    def _choose(self, fitted: Fitted, which: np.ndarray) -> None:
        """Each sample's own choice of transforms, all at one level and as far as that goes, in a direction drawn."""
        options: Sequence[Step] = list(fitted.choices.values())
        numbers = SELECT_DRAW + np.arange(len(options))
        places = draw(self.seed, self.epoch, self.index[which], numbers).argsort(0).argsort(0)
        if fitted.level is None:
            level = np.floor(draw(self.seed, self.epoch, self.index[which], SELECT_DRAW - 1) * (LEVELS + 1))
        else:
            level = np.full(len(which), float(fitted.level))
        self._chosen[which] = True
        for step, place in zip(options, places, strict=True):
            most = np.ones(len(which)) if step.amount is None else step.amount * level / LEVELS
            self._put(step.name, which, np.where(place < fitted.count, most, 0.0))

    def _put(self, name: str, which: np.ndarray, amount: np.ndarray) -> None:
        if amount.any():
            self.amount.setdefault(name, np.zeros(len(self.index)))[which] = amount

    def __contains__(self, name: str) -> bool:
        return name in self.amount

    def on(self, name: str) -> np.ndarray:
        """(batch,) bool: to which samples it happens."""
        return self.amount[name] > 0 if name in self.amount else np.zeros(len(self.index), bool)

    def uniform(self, name: str, number: int | np.ndarray = 0) -> np.ndarray:
        """In [0, 1), the `number`-th draw of a transform: (batch,), or for several numbers (…, batch)."""
        return draw(self.seed, self.epoch, self.index, TRANSFORMS[name].number + number)

    def signed(self, name: str, number: int | np.ndarray = 0) -> np.ndarray:
        """Between −amount and amount; one of these two where the sample's transforms were chosen for it."""
        drawn = 2 * self.uniform(name, number) - 1
        return self.amount[name] * np.where(self._chosen, np.where(drawn < 0, -1.0, 1.0), drawn)

    def positive(self, name: str, number: int = 0) -> np.ndarray:
        """Between 0 and the amount; the amount where the sample's transforms were chosen for it."""
        return self.amount[name] * np.where(self._chosen, 1.0, self.uniform(name, number))

    def generator(self, name: str, position: int) -> np.random.Generator:
        """A source of many numbers for one sample, of which one transform has need."""
        key = bits(self.seed, self.epoch, self.index[position : position + 1], TRANSFORMS[name].number)
        return np.random.Generator(np.random.SFC64(int(key[0])))
