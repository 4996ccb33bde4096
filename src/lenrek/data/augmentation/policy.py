"""What is drawn for training samples: transforms with their amounts, as a text and as an object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lenrek.data.augmentation.fitted import Fitted, fit_policy
from lenrek.data.augmentation.ready import CHOICES, LEVELS, READY
from lenrek.data.augmentation.steps import Rule, Step
from lenrek.data.augmentation.text import read_steps, split_policy
from lenrek.data.augmentation.transforms import RESAMPLING
from lenrek.data.augmentation.words import did_you_mean, number_text
from lenrek.errors import OptionError
from lenrek.geometry import Boundary, check_boundary

if TYPE_CHECKING:
    from torch import Tensor

    from lenrek.data.augmentation.apply import Others

INTERPOLATIONS = ("nearest", "linear", "cubic")


@dataclass(frozen=True)
class Policy:
    """What happens to training samples; `str` gives the text that `Policy.parse` reads.

    Attributes:
        ready: the ready policy that it starts from: none, light, standard, strong, randaugment or trivialaugment.
        steps: transforms in addition, or with another amount than there.
        rules: what is different for some classes.
        boundary: what is found outside a sample that is moved, see `lenrek.ops.pad`; None: its edge, repeated.
        interpolation: nearest, linear or cubic, where a sample is read between its values; None: linear.
        count, level: of randaugment: transforms per sample (None: 2), how far they go of 30 (None: 9).
    Raises:
        OptionError: steps that contradict each other, a part without effect.
    Source: Cubuk et al. 2020, arXiv:1909.13719 (RandAugment); Müller & Hutter 2021, arXiv:2103.10158 (TrivialAugment).
    Other than there, transforms are applied in one fixed order, and those drawn for a sample are all different.
    Example:
        >>> print(Policy(steps=(Step("rotate", 15), Step("flip")), boundary="reflect"))
        rotate=15,flip,boundary=reflect
    """

    ready: str = "none"
    steps: tuple[Step, ...] = ()
    rules: tuple[Rule, ...] = ()
    boundary: Boundary | None = None
    interpolation: str | None = None
    count: int | None = None
    level: int | None = None

    def __post_init__(self) -> None:
        if self.ready not in READY and self.ready not in CHOICES:
            names = [*READY, *CHOICES]
            raise OptionError(
                f"augmentation: {self.ready!r} is not one of {', '.join(names)}.{did_you_mean(self.ready, names)}"
            )
        base = {step.name for text in self._texts().values() for step in read_steps(text)}
        self._check_steps(self.steps, base, "")
        base |= {step.name for step in self.steps}
        seen: set[str] = set()
        for rule in self.rules:
            if twice := seen & set(rule.classes):
                raise OptionError(f"augmentation: class {min(twice)} has two rules.")
            seen |= set(rule.classes)
            self._check_steps(rule.steps, base, f"{rule}: ")
        every = base | {step.name for rule in self.rules for step in rule.steps}
        if self.boundary is not None:
            check_boundary(self.boundary, "augmentation")
            if not every & {"shift", *RESAMPLING}:
                raise OptionError(f"augmentation boundary={self.boundary}: has no effect, as nothing moves samples.")
        if self.interpolation is not None:
            if self.interpolation not in INTERPOLATIONS:
                raise OptionError(
                    f"augmentation: interpolation is {self.interpolation!r}, expected one of "
                    f"{', '.join(INTERPOLATIONS)}.{did_you_mean(self.interpolation, list(INTERPOLATIONS))}"
                )
            if not every & set(RESAMPLING):
                raise OptionError(
                    f"augmentation interpolation={self.interpolation}: has no effect, as samples are moved by whole "
                    "steps only."
                )
        for name, most in (("count", 6), ("level", LEVELS)):
            value = getattr(self, name)
            if value is not None and self.ready != "randaugment":
                raise OptionError(f"augmentation {name}={value}: has no effect without randaugment.")
            if value is not None and not 1 <= value <= most:
                raise OptionError(f"augmentation {name}={value}: expected 1 ≤ {name} ≤ {most}.")

    def _texts(self) -> dict[int, str]:
        return (READY | CHOICES)[self.ready]

    @property
    def is_nothing(self) -> bool:
        return self.ready == "none" and not self.steps and not self.rules

    @staticmethod
    def _check_steps(steps: tuple[Step, ...], base: set[str], where: str) -> None:
        names = [step.name for step in steps]
        for step in steps:
            if names.count(step.name) > 1:
                raise OptionError(f"augmentation {where}{step.name} is said twice.")
            if step.amount == 0 and step.name not in base:
                raise OptionError(f"augmentation {where}{step.name}=0 has no effect: nothing does {step.name}.")

    @classmethod
    def parse(cls, text: str) -> Policy:
        """Reads a ready policy's name, transforms with their amounts, or both; after semicolons, rules for classes.

        Raises:
            OptionError: an unknown word, a value that is missing or out of range, a word said twice.
        Example:
            >>> Policy.parse("shift=0.125,flip").steps
            (Step(name='shift', amount=0.125, chance=None), Step(name='flip', amount=None, chance=None))
            >>> Policy.parse("standard,hue=0; 6,9: flip=0").rules
            (Rule(classes=('6', '9'), steps=(Step(name='flip', amount=0.0, chance=None),)),)
        """
        ready, steps, options, rules = split_policy(text)
        return cls(ready, steps, tuple(Rule(classes, changed) for classes, changed in rules), **options)

    def __str__(self) -> str:
        words = [*map(str, self.steps)]
        for name in ("boundary", "interpolation", "count", "level"):
            value = getattr(self, name)
            if value is not None:
                words.append(f"{name}={value if isinstance(value, str) else number_text(value)}")
        if self.ready != "none" or not words:
            words.insert(0, self.ready)
        return "; ".join([",".join(words), *map(str, self.rules)])

    def fitted(self, channels: int, size: tuple[int, ...], class_name: str | None = None) -> Fitted:
        """What is drawn for samples of a shape and, where there are rules, of a class.

        Raises:
            OptionError: a transform that means nothing for such samples, or would never change one.
        """
        return fit_policy(self, channels, size, class_name)

    def check(self, channels: int, size: Sequence[int], classes: Sequence[str] = ()) -> None:
        """Make sure that samples of this shape can be changed so, and that the rules' classes are there.

        Raises:
            OptionError: what means nothing for such samples, a shift of less than one sample, an unknown class.
        """
        self.fitted(channels, tuple(size))
        for rule in self.rules:
            for name in rule.classes:
                if name not in classes:
                    raise OptionError(
                        f"augmentation {rule}: no class is called {name!r}.{did_you_mean(name, list(classes))}"
                    )
                self.fitted(channels, tuple(size), name)

    def describe(self, channels: int, size: Sequence[int]) -> str:
        """What is done to samples of a shape, as a sentence for the report.

        >>> Policy.parse("shift=0.125").describe(1, (28, 28))
        'In every epoch each training sample is shifted by up to 12.5 % along each axis (edges repeated).'
        """
        fitted = self.fitted(channels, tuple(size))
        done = [step.describe() for step in fitted.steps.values()]
        if fitted.choices:
            level = "a level drawn for it" if fitted.level is None else f"level {fitted.level} of {LEVELS}"
            done.append(f"changed in {fitted.count} of {len(fitted.choices)} ways, at {level} ({self.ready})")
        if not done and not self.rules:
            return "Training samples are used as they are, without augmentation."
        for number, step in enumerate(fitted.steps.values()):
            if step.name == "shift":
                done[number] += f" ({'edges repeated' if self.boundary is None else f'boundary {self.boundary}'})"
        what = f"{', '.join(done[:-1])} and {done[-1]}" if len(done) > 1 else "".join(done) or "used as it is"
        rules = "".join(f" For {rule}." for rule in self.rules)
        return f"In every epoch each training sample is {what}.{rules}"

    def apply(
        self,
        x: Tensor,
        index: np.ndarray,
        seed: int,
        epoch: int,
        labels: np.ndarray | Tensor | None = None,
        classes: Sequence[str] = (),
        others: Others | None = None,
    ) -> Tensor:
        """The changed batch; `x` itself when there is nothing to do, and never changed.

        Args:
            x: `(batch, channels, *size)` uint8, int16 or float32, in main memory. Full scale is 255, 32768 and 1.
            index: (batch,) source indices: what is drawn for a sample depends on its own, the seed and the epoch.
            labels: (batch,) of each sample, where there are rules for classes.
            classes: their names.
            others: where samples to superimpose come from; None: from the batch.
        Raises:
            OptionError: as `check`, and rules without labels.
        """
        if self.is_nothing:
            return x
        from lenrek.data.augmentation.apply import apply_policy

        return apply_policy(self, x, np.asarray(index), seed, epoch, labels, tuple(classes), others)
