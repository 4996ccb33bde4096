"""Fixed views of a sample for test time: what a policy does to every class alike, spread evenly instead of drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations, islice
from itertools import count as count_from
from math import inf, prod

import numpy as np
from torch import Tensor

from lenrek.data.augmentation.apply import moved
from lenrek.data.augmentation.drawn import Drawn
from lenrek.data.augmentation.fitted import Fitted
from lenrek.data.augmentation.policy import Policy
from lenrek.data.augmentation.spatial import draws_of, maps
from lenrek.data.augmentation.steps import Step
from lenrek.data.augmentation.transforms import FLIPS, TRANSFORMS
from lenrek.errors import OptionError

MIDDLE = 0.5  # of what may be drawn: nothing moves


@dataclass(frozen=True)
class View:
    """One way to look at a sample; without amounts, as it is.

    Attributes:
        amounts: how far each transform that happens may go; 1 for flips.
        at: the numbers, in [0, 1), that training would draw for it, by transform and draw.
    """

    amounts: dict[str, float]
    at: dict[tuple[str, int], float]


@dataclass(frozen=True)
class Views:
    """Different views of any sample, the first of which is the sample as it is; `find_views` makes them.

    Attributes:
        policy: whose boundary and interpolation are used.
        steps: its transforms that the views are made of, as far as they go for every class.
        left_out: its other transforms, and why.
    """

    policy: Policy
    steps: tuple[Step, ...]
    left_out: dict[str, str]
    views: tuple[View, ...]

    def __len__(self) -> int:
        return len(self.views)

    def apply(self, x: Tensor, number: int) -> Tensor:
        """One view of the samples x (batch, channels, *size), which are as stored and stay unchanged."""
        return moved(x, _Placed(self.views[number], len(x)), self.policy)

    def describe(self) -> str:
        """What they are made of, and what of the policy is not used."""
        made = ", ".join(str(replace(step, chance=None)) for step in self.steps)
        reasons: dict[str, list[str]] = {}
        for name, why in self.left_out.items():
            reasons.setdefault(why, []).append(name)
        left = "; ".join(f"{', '.join(names)} ({why})" for why, names in reasons.items())
        return f"{len(self)} views by {made}" + (f"; left out: {left}" if left else "")


class _Placed(Drawn):
    """What a view does, in place of what is drawn: the same for every sample."""

    def __init__(self, view: View, batch: int) -> None:
        super().__init__(np.arange(batch), 0, 0)
        self.view = view
        self.amount = {name: np.full(batch, amount) for name, amount in view.amounts.items()}

    def uniform(self, name: str, number: int | np.ndarray = 0) -> np.ndarray:
        numbers = np.asarray(number)
        found = [self.view.at.get((name, one), MIDDLE) for one in numbers.ravel().tolist()]
        return np.broadcast_to(np.reshape(found, (*numbers.shape, 1)), (*numbers.shape, len(self.index)))


def example_policy(axes: int) -> str:
    """What a hint may suggest for samples of so many axes."""
    return "shift=0.1" if axes == 1 else "flip,shift=0.1"


def find_views(policy: Policy, count: int, channels: int, size: tuple[int, ...], classes: Sequence[str]) -> Views:
    """`count` different views of samples whose class is not known yet.

    They are made of what the policy does to every class, as far as it goes for the class where it goes least far.
    Left out is what changes values (colours, noise, erasing, …), what bends, and what a rule forbids for any class. All
    else is spread evenly over what training draws from, in points of which every second is the opposite of the one
    before; each comes as it is and in all mirrors. Nothing is drawn, and chances mean nothing.

    Raises:
        OptionError: fewer than 2 views, nothing of the policy left, or fewer different views than that; as
            `Policy.check`.
    Source: Roberts 2018, The Unreasonable Effectiveness of Quasirandom Sequences (the points).
    Example:
        >>> import torch
        >>> views = find_views(Policy.parse("shift=0.25,flip,noise=0.1"), 4, 1, (1, 4), ("a", "b"))
        >>> views.describe()
        '4 views by shift=0.25, flip; left out: noise (changes values)'
        >>> [views.apply(torch.tensor([[[[1.0, 2.0, 3.0, 4.0]]]]), view).flatten().tolist() for view in range(4)]
        [[1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0], [1.0, 1.0, 2.0, 3.0], [3.0, 2.0, 1.0, 1.0]]
    """
    if count < 2:
        raise OptionError(
            f"test-time augmentation: {count} view{'s are' if count < 1 else ' is'} asked for, but at least 2 are "
            "expected: the first is the sample as it is.\n  Hint: leave --tta out to have no other."
        )
    policy.check(channels, size, classes)
    steps, left_out = _of_every_class(policy, channels, size, classes)
    most = _how_many(steps, size)
    hint = f"for example --tta-policy {example_policy(len(size))}."
    if most == 1:
        why = "".join(f"\n  {name}: {why}" for name, why in left_out.items())
        raise OptionError(
            f"test-time augmentation: the policy is {policy}, which leaves no other view of a sample.{why}\n"
            f"  Hint: say how else to look at it, {hint}"
        )
    if most < count:
        raise OptionError(
            f"test-time augmentation: {count} views are asked for, but {', '.join(steps)} gives only {most:.0f} "
            f"different ones.\n  Hint: pass --tta {most:.0f}, or more to choose from, {hint}"
        )
    return Views(policy, tuple(steps.values()), left_out, tuple(islice(_different(steps, size), count)))


def _of_every_class(
    policy: Policy, channels: int, size: tuple[int, ...], classes: Sequence[str]
) -> tuple[dict[str, Step], dict[str, str]]:
    """What is done to samples of any class, as far as it always goes; and why the rest is not."""
    names = tuple(classes) if policy.rules else (None,)
    fitted = [policy.fitted(channels, size, name) for name in names]
    found = [{step.name: step for step in one.as_far_as_it_goes()} for one in fitted]
    steps: dict[str, Step] = {}
    left_out: dict[str, str] = {}
    for name in dict.fromkeys(name for one in found for name in one):
        why = _reason_against(name, fitted, found)
        mildest = max if name == "crop" else min  # whose amount is what is kept
        step = mildest((one[name] for one in found if name in one), key=lambda step: step.amount or 0.0)
        if why:
            left_out[name] = why
        else:
            steps[name] = step
    return steps, left_out


def _reason_against(name: str, fitted: list[Fitted], found: list[dict[str, Step]]) -> str:
    if not TRANSFORMS[name].geometric:
        return "changes values"
    if name == "elastic":
        return "bends at random"
    if any(name in one.choices and one.level is None for one in fitted):
        return "how far is drawn for each sample"
    return "" if all(name in one for one in found) else "not done to every class"


def _how_many(steps: dict[str, Step], size: tuple[int, ...]) -> float:
    """Different views that there are: mirrors and whole shifts can be counted."""
    if not all(name == "shift" or name in FLIPS for name in steps):
        return inf
    amount = steps["shift"].amount or 0.0 if "shift" in steps else 0.0
    return 2 ** sum(name in FLIPS for name in steps) * prod(2 * int(amount * samples) + 1 for samples in size)


def _different(steps: dict[str, Step], size: tuple[int, ...]) -> Iterator[View]:
    """Views, no two of which read the same map; it never ends, but finds no more than there are."""
    mirrors = [name for name in steps if name in FLIPS]
    reach = {name: step.amount or 0.0 for name, step in steps.items() if name not in FLIPS}
    draws = [(name, number) for name in reach for number in draws_of(name, len(size))]
    flipped = [dict.fromkeys(some, 1.0) for number in range(len(mirrors) + 1) for some in combinations(mirrors, number)]
    points = (View(reach, dict(zip(draws, point, strict=True))) for point in _points(len(draws)))
    found: set[bytes] = set()
    for place in chain([View({}, {})], points):
        for mirrored in flipped:
            view = View(place.amounts | mirrored, place.at)
            where = maps(_Placed(view, 1), size).matrix.numpy()
            key = (where.round(9) + 0.0).tobytes()  # without roundings, and without -0
            if key not in found:
                found.add(key)
                yield view


def _points(axes: int) -> Iterator[list[float]]:
    """Points of the unit cube, evenly spread however many are taken; every second is opposite to the one before."""
    ratio = 2.0
    for _ in range(64):  # to the root of ratio ** (axes + 1) = ratio + 1, which for one axis is the golden ratio
        ratio = (1 + ratio) ** (1 / (axes + 1))
    step = ratio ** -np.arange(1.0, axes + 1)
    for number in count_from(1):
        point = (MIDDLE + number * step) % 1
        yield point.tolist()
        yield (1 - point).tolist()
