"""A policy as it is for samples of one shape and class: what means nothing for them is left out, or refused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from lenrek.data.augmentation.ready import CHOICES, COUNT, LEVELS, RANDAUGMENT_LEVEL, READY
from lenrek.data.augmentation.steps import Step
from lenrek.data.augmentation.text import read_steps
from lenrek.data.augmentation.transforms import TRANSFORMS
from lenrek.errors import OptionError

if TYPE_CHECKING:
    from lenrek.data.augmentation.policy import Policy


@dataclass(frozen=True)
class Fitted:
    """A policy as it is for samples of one shape and class.

    Attributes:
        steps: what is drawn for every sample, by name.
        choices: of which `count` are drawn for every sample, at `level` of 30 (None: drawn).
    """

    steps: dict[str, Step]
    choices: dict[str, Step]
    count: int = 0
    level: int | None = None

    def as_far_as_it_goes(self) -> list[Step]:
        """Every step; those to choose from at their level, which is the highest where it is drawn."""
        far = 1.0 if self.level is None else self.level / LEVELS
        weaker = (s if s.amount is None else replace(s, amount=s.amount * far) for s in self.choices.values())
        return [*self.steps.values(), *weaker]


@lru_cache(maxsize=256)
def fit_policy(policy: Policy, channels: int, size: tuple[int, ...], class_name: str | None) -> Fitted:
    found: dict[str, Step] = {}
    if len(size) not in (1, 2, 3):
        if policy.is_nothing:
            return Fitted({}, {})
        raise OptionError(f"augmentation: samples of {len(size)} axes, but 1 to 3 can be changed.")
    for step in read_steps((READY | CHOICES)[policy.ready][len(size)]):
        if not TRANSFORMS[step.name].refusal(channels, size) and not _stays(step, size):
            found[step.name] = step
    steps, choices = ({}, found) if policy.ready in CHOICES else (found, {})
    changes = [*policy.steps, *(s for rule in policy.rules if class_name in rule.classes for s in rule.steps)]
    for step in changes:
        home = choices if step.name in choices else steps
        home.pop(step.name, None)
        if step.amount == 0:
            continue
        if why := TRANSFORMS[step.name].refusal(channels, size):
            raise OptionError(f"augmentation {step.name}: {why.format(step.name)}")
        if _stays(step, size):
            largest = max(size)
            raise OptionError(
                f"augmentation {step}: {step.amount:g} · {largest} = {(step.amount or 0) * largest:.3g} is less than "
                "one sample."
            )
        home[step.name] = step
    if not choices:
        return Fitted(steps, {})
    count = policy.count or COUNT[policy.ready]
    if count > len(choices):
        raise OptionError(f"augmentation count={count}: more than the {len(choices)} transforms to choose from.")
    level = (policy.level or RANDAUGMENT_LEVEL) if policy.ready == "randaugment" else None
    return Fitted(steps, choices, count, level)


def _stays(step: Step, size: tuple[int, ...]) -> bool:
    """Whether a shift never reaches the next sample."""
    return step.name == "shift" and int((step.amount or 0) * max(size)) == 0
