"""Test-time augmentation: posteriors averaged over several views of a sample, and what that gained and cost."""

from __future__ import annotations

import operator
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lenrek.data.augmentation.policy import Policy
from lenrek.data.augmentation.views import Views, example_policy, find_views
from lenrek.errors import OptionError
from lenrek.models.contract import InputContract
from lenrek.training.engine import EngineStep
from lenrek.training.evaluation import Evaluation, evaluate_posteriors
from lenrek.training.wording import percent


@dataclass(frozen=True)
class Gain:
    """What views changed, where labels are known.

    Attributes:
        without: the figures without views.
        newly_right, newly_wrong: samples whose answer the views put right, and wrong.
    """

    without: Evaluation
    newly_right: int
    newly_wrong: int


@dataclass(frozen=True)
class ViewsTaken:
    """What test-time augmentation did.

    Attributes:
        views: how many posteriors were averaged, that of the sample as it is among them.
        made_by: what the views are made of, and what of the policy was left out.
        below: samples had views where their confidence was below this; None: all had.
        share: of the samples that had views.
        time_factor: the time taken, as a multiple of that without views.
        gain: None where no labels are known.
    """

    views: int
    made_by: str
    below: float | None
    share: float
    time_factor: float
    gain: Gain | None = None

    def sentence(self) -> str:
        """Which views were taken of how many samples, and what that cost.

        >>> print(ViewsTaken(2, "2 views by flip", 0.8, 0.234, 1.31).sentence())
        Test-time augmentation: 2 views by flip; of 23.4 % of the samples (confidence below 0.8), 1.3× the time.
        """
        some = f"{percent(self.share)} of the samples (confidence below {self.below})"
        which = "all samples" if self.below is None else some
        return f"Test-time augmentation: {self.made_by}; of {which}, {self.time_factor:.1f}× the time."

    def compared(
        self, without: np.ndarray, found: np.ndarray, labels: np.ndarray, classes: Sequence[str]
    ) -> ViewsTaken:
        """With what the views changed, from posteriors (n, classes) `without` them to those `found`."""
        before, after = without.argmax(1) == labels, found.argmax(1) == labels
        right, wrong = int((after & ~before).sum()), int((before & ~after).sum())
        return replace(self, gain=Gain(evaluate_posteriors(without, labels, classes), right, wrong))

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict."""
        gain = None if self.gain is None else {**vars(self.gain), "without": self.gain.without.to_json()}
        return {**vars(self), "gain": gain}


@dataclass(frozen=True)
class Averaging:
    """What is averaged over.

    Attributes:
        below: samples have views where their confidence as they are is below this; None: all have.
    """

    views: Views
    below: float | None


@dataclass
class AveragingStep(EngineStep):
    """A `Step` whose posteriors are means over views, of all samples or of those it is unsure of.

    Attributes:
        plain: for each batch the posteriors without views.
        viewed: for each batch, which samples had views.
        views_s: time that the views took.
    """

    averaging: Averaging = field(kw_only=True)
    plain: list[np.ndarray] = field(default_factory=list, init=False)
    viewed: list[np.ndarray] = field(default_factory=list, init=False)
    views_s: float = field(default=0.0, init=False)
    _unseen: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._unseen = self.remaining

    def posteriors(self, x: Tensor) -> np.ndarray:
        plain, below = super().posteriors(x), self.averaging.below
        viewed = np.ones(len(x), bool) if below is None else plain.max(1) < below
        self.plain.append(plain)
        self.viewed.append(viewed)
        self._expect(viewed)
        if not viewed.any():
            return plain
        start, compiled_s = time.perf_counter(), self.compile_s
        found = plain.copy()
        found[viewed] = self._mean(x[torch.from_numpy(viewed)], plain[viewed], len(x))
        self.views_s += time.perf_counter() - start - (self.compile_s - compiled_s)
        return found

    def _expect(self, viewed: np.ndarray) -> None:
        """What is still to come, views included, if samples go on to be as unsure as so far."""
        self._unseen -= len(viewed)
        further, share = len(self.averaging.views) - 1, np.concatenate(self.viewed).mean()
        self.remaining = round(viewed.sum() * further + self._unseen * (1 + share * further))

    def _mean(self, x: Tensor, plain: np.ndarray, batch_size: int) -> np.ndarray:
        views = self.averaging.views
        total, together = plain.copy(), batch_size // len(x)  # of few samples, several views at once
        for first in range(1, len(views), together):
            some = range(first, min(first + together, len(views)))
            found = super().posteriors(torch.cat([views.apply(x, number) for number in some]))
            for one in np.split(found, len(some)):
                total += one
        return total / len(views)

    def taken(self, total_s: float) -> ViewsTaken:
        """What was done, in `total_s` with everything."""
        factor = total_s / max(total_s - self.views_s, 1e-9)
        share = float(np.concatenate(self.viewed).mean())
        views, below = self.averaging.views, self.averaging.below
        return ViewsTaken(len(views), views.describe(), below, share, factor)


def plan_averaging(
    contract: InputContract,
    trained_with: str | None,
    tta: int | None,
    policy: str | Policy | None,
    below: float | None,
) -> Averaging | None:
    """What the options of `Classifier.predict` ask for; None where that is nothing.

    Args:
        trained_with: the policy that views are made of where no other is given; None: not known.
    Raises:
        OptionError: options without effect, out of their limits, or for which there are not so many views.
    """
    if tta is None:
        for name, value in (("policy", policy), ("below", below)):
            if value is not None:
                raise OptionError(
                    f"test-time augmentation: --tta-{name} {value} has no effect without --tta.\n"
                    "  Hint: pass --tta 8 for 8 views, or leave it out."
                )
        return None
    try:
        count = operator.index(tta)
    except TypeError:
        raise OptionError(f"test-time augmentation: --tta is {tta!r}, but a whole number is expected.") from None
    if below is not None and not isinstance(below, int | float | np.number):
        raise OptionError(f"test-time augmentation: --tta-below is {below!r}, but a number is expected.")
    lowest = 1 / len(contract.classes)
    if below is not None and not lowest < below <= 1:
        raise OptionError(
            f"test-time augmentation: --tta-below is {below:g}, but the confidence of {len(contract.classes)} classes "
            f"lies between 1/{len(contract.classes)} = {lowest:.3g} and 1."
        )
    if policy is None and trained_with in (None, "none"):
        why = "is not known" if trained_with is None else "is none"
        raise OptionError(
            f"test-time augmentation: what this network was trained with {why}, so no other view of a sample is known "
            f"to keep its class.\n  Hint: say how to look at it, for example --tta-policy "
            f"{example_policy(len(contract.size))}."
        )
    chosen = Policy.parse(str(trained_with if policy is None else policy))
    views = find_views(chosen, count, contract.channels, contract.size, contract.classes)
    return Averaging(views, None if below is None else float(below))
