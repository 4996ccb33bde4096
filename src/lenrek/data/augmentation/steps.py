"""One transform with its amount and chance, and what is different for some classes."""

from __future__ import annotations

from dataclasses import dataclass

from lenrek.data.augmentation.ready import READY
from lenrek.data.augmentation.transforms import TRANSFORMS, check_amount
from lenrek.data.augmentation.words import class_name_text, did_you_mean, number_text
from lenrek.errors import OptionError


@dataclass(frozen=True)
class Step:
    """One transform of a policy.

    Attributes:
        name: as `lenrek.data.augmentation.transforms` lists it.
        amount: the largest that is drawn; 0 takes the transform away; None where it has no amount (flip).
        chance: with which a sample is changed; None: 1/2 for flips, 1 for others.
    Raises:
        OptionError: an unknown name, an amount or chance out of its limits.
    Example:
        >>> str(Step("rotate", 15, chance=0.5)), str(Step("flip"))
        ('rotate=15@0.5', 'flip')
    """

    name: str
    amount: float | None = None
    chance: float | None = None

    def __post_init__(self) -> None:
        if self.name not in TRANSFORMS:
            raise OptionError(
                f"augmentation: {self.name!r} is no transform.{did_you_mean(self.name, list(TRANSFORMS))}"
            )
        transform = TRANSFORMS[self.name]
        if self.amount is not None and self.amount != 0:
            if not transform.takes_amount:
                raise OptionError(
                    f"augmentation {self.name}={self.amount:g}: {self.name} has no amount, only a chance.\n"
                    f"  Hint: {self.name}@0.3 does it to 30 % of the samples, {self.name}=0 to none."
                )
            check_amount(self.name, self.amount)
        if self.amount is None and transform.takes_amount:
            raise OptionError(f"augmentation {self.name}: {transform.meaning} is expected, for example {_usual(self)}.")
        if self.chance is not None and not (0 < self.chance <= 1 and self.amount != 0):
            raise OptionError(f"augmentation {self}: the chance is {self.chance:g}, but 0 < chance ≤ 1 is expected.")

    @property
    def probability(self) -> float:
        return TRANSFORMS[self.name].chance if self.chance is None else self.chance

    def __str__(self) -> str:
        amount = "" if self.amount is None else f"={number_text(self.amount)}"
        return f"{self.name}{amount}" + ("" if self.chance is None else f"@{number_text(self.chance)}")

    def describe(self) -> str:
        """What happens to a sample, as a part of a sentence."""
        transform = TRANSFORMS[self.name]
        amount = self.amount or 0.0
        done = transform.done.format(f"{100 * amount:.4g} %" if transform.percent else f"{amount:g}")
        chance = self.probability
        return done if chance == 1 else f"{done} with probability {'1/2' if chance == 0.5 else f'{chance:g}'}"


@dataclass(frozen=True)
class Rule:
    """What is different for some classes: steps that replace those of the same name."""

    classes: tuple[str, ...]
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        names = ",".join(map(class_name_text, self.classes))
        return f"{names}: {','.join(map(str, self.steps))}"


def _usual(step: Step) -> str:
    """An example: the amount in a ready policy, or a tenth of the largest."""
    for texts in READY.values():
        for text in texts.values():
            for known in text.split(","):
                if known.startswith(f"{step.name}="):
                    return known
    return f"{step.name}={TRANSFORMS[step.name].most / 10:g}"
