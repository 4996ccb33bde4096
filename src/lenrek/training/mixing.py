"""Mixup and CutMix: each sample of a step mixed with another one, its label by the same shares.

Samples are mixed as the network would get them, after augmentation and normalisation, so that nothing is rounded.
Normalising is affine: mixing before it would give the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lenrek.errors import OptionError
from lenrek.training.config import TrainConfig
from lenrek.training.objective import Targets
from lenrek.training.ratio import Ratio

MIXING = 0x6D6978  # sets these draws apart from the others that start from the same seed and epoch


@dataclass(frozen=True)
class Mixer:
    """Mixes the samples of a training.

    λ and the box are drawn once per step, from the seed, the epoch and the number of the step: the same in every
    process, and after a resume.

    Attributes:
        mixup: λ of mixup, where that is asked for: λ · own + (1 − λ) · other.
        cutmix: λ of CutMix, where that is asked for: a box of the other in the own one. With both, each step draws
            which of them it takes, with equal chances.
    Source: Zhang et al. 2018, arXiv:1710.09412 (mixup); Yun et al. 2019, arXiv:1905.04899 (CutMix).
    """

    mixup: Ratio | None
    cutmix: Ratio | None
    seed: int

    @classmethod
    def of(cls, config: TrainConfig) -> Mixer | None:
        """What the configuration asks for; None where it asks for neither."""
        if config.mixup is None and config.cutmix is None:
            return None
        ratios = [
            None if text is None else Ratio.parse(text, name)
            for name, text in (("mixup", config.mixup), ("cutmix", config.cutmix))
        ]
        return cls(ratios[0], ratios[1], config.seed)

    def check(self, size: tuple[int, ...]) -> None:
        """Make sure that samples of this size are changed.

        Raises:
            OptionError: a box of fixed λ is less than one sample wide.
        """
        if self.cutmix is None or not self.cutmix.fixed or min(_sides(size, self.cutmix.amount)) >= 1:
            return
        side = (1 - self.cutmix.amount) ** (1 / len(size))
        sides = "×".join(f"⌊{length} · {side:.3g}⌋" for length in size)
        raise OptionError(
            f"train: cutmix {self.cutmix} has no effect: its box is {sides} = "
            f"{'×'.join(map(str, _sides(size, self.cutmix.amount)))} samples.\n  Hint: choose a smaller lambda."
        )

    def mix(
        self, x: Tensor, labels: Tensor, own: np.ndarray, other: np.ndarray, epoch: int, step: int
    ) -> tuple[Tensor, Targets]:
        """The mixed samples and what they show.

        Args:
            x: (batch, channels, *size) float, normalised; it may be overwritten.
            labels: (batch,) of x, on its device.
            own: (n,) positions in x: the samples to mix.
            other: (n,) positions in x: what is mixed into each.
            epoch, step: both from 0.
        """
        random = np.random.default_rng((self.seed, epoch, step, MIXING))
        cut = self.mixup is None or (self.cutmix is not None and random.random() < 0.5)
        ratio = self.cutmix if cut else self.mixup
        assert ratio is not None
        share = ratio.draw(random)
        first, second = (torch.from_numpy(which).to(x.device) for which in (own, other))
        mixed = x[first]
        if cut:
            box = cut_box(tuple(x.shape[2:]), share, random)
            inside = (slice(None), slice(None), *box)
            mixed[inside] = x[inside][second]
            share = 1 - math.prod(s.stop - s.start for s in box) / math.prod(x.shape[2:])
        else:
            mixed = torch.lerp(x[second], mixed, share)
        return mixed, Targets(labels[first], labels[second], share)

    def describe(self) -> str:
        """A sentence for the log and the report."""
        how = []
        if self.mixup is not None:
            how.append(f"averaged with another one (mixup, {self.mixup.describe()})")
        if self.cutmix is not None:
            how.append(f"given a box of another one (CutMix, {self.cutmix.describe()})")
        drawn = ", drawn for every step with equal chances" if len(how) == 2 else ""
        return (
            f"Each training sample is {' or '.join(how)}{drawn}; its label by the same shares, by which training "
            "accuracy counts it, too."
        )


def cut_box(size: tuple[int, ...], share: float, random: np.random.Generator) -> tuple[slice, ...]:
    """A box of about 1 − `share` of the whole, its sides in the same proportions, cut off at the edges.

    Sides are ⌊length · (1 − share)^(1 / axes)⌋ around a centre drawn from everywhere; what lies outside is lost, so
    that the box may be smaller.

    Args:
        size: of the samples, one length per axis.
    Source: Yun et al. 2019, arXiv:1905.04899, eq. 2, here for any number of axes.
    Example:
        >>> cut_box((8, 16), 0.75, np.random.default_rng(0))
        (slice(4, 8, None), slice(6, 14, None))
    """
    box = []
    for length, part in zip(size, _sides(size, share), strict=True):
        start = int(random.integers(length)) - part // 2
        box.append(slice(max(start, 0), max(min(start + part, length), max(start, 0))))
    return tuple(box)


def _sides(size: tuple[int, ...], share: float) -> list[int]:
    return [math.floor(length * (1 - share) ** (1 / len(size))) for length in size]
