"""Whether a policy keeps the classes what they are: samples of what it does, and what a network says of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from lenrek.data.augmentation.policy import Policy
from lenrek.data.augmentation.steps import Step
from lenrek.data.augmentation.transforms import RESAMPLING
from lenrek.errors import DataError, ShapeError

Z95 = 1.96
WELL_ABOVE = 0.1  # of the samples: what is flagged changes so much more than the base
BATCH = 256


@dataclass(frozen=True)
class Sensitivity:
    """What a transform does to a network's predictions of one class.

    Attributes:
        samples: predicted right as they are, and looked at again after the transform.
        changed: the share of them that is then predicted to be of another class.
        base: the share of the class that is predicted wrong as it is: how unsure the network is without any change.
        flagged: changed is at least 10 points above base, and above it beyond what chance explains (95 %).
        becomes: the class most of the changed ones are taken for; empty where none is.
    """

    class_name: str
    transform: str
    samples: int
    changed: float
    base: float
    flagged: bool
    becomes: str


def policy_views(
    policy: Policy, x: Tensor, labels: np.ndarray, classes: Sequence[str], views: int, seed: int = 0
) -> list[Tensor]:
    """The samples x (batch, channels, *size) as they are, then as they come in so many epochs."""
    index = np.arange(len(x))
    drawn = [policy.apply(x, index, seed, epoch, labels, classes) for epoch in range(views)]
    return [x, *drawn]


def label_safety(
    policy: Policy,
    x: Tensor,
    labels: np.ndarray,
    classes: Sequence[str],
    posteriors: Callable[[Tensor], Tensor | np.ndarray],
    *,
    repeats: int = 3,
    seed: int = 0,
) -> list[Sensitivity]:
    """Each transform of a policy alone, on each class: does an existing network still see the same class?

    A network that was trained without a transform may be thrown by it although people are not, so that a flag is a
    reason to look at the picture, not a proof.

    Args:
        x: (batch, channels, *size) as stored, some of every class.
        posteriors: of stored samples, (batch, classes).
        repeats: how often each sample is changed.
    Returns:
        One entry per class and transform, in this order; classes of which no sample is predicted right are left out.
    Raises:
        ShapeError: the posteriors are not (batch, classes).
        DataError: there are no samples.
    Example:
        >>> x = torch.tensor([[0, 9], [9, 0]] * 20, dtype=torch.uint8).reshape(40, 1, 1, 2)
        >>> brighter_side = lambda x: torch.nn.functional.one_hot(x[:, 0, 0].argmax(1), 2)
        >>> found = label_safety(Policy.parse("flip"), x, np.array([1, 0] * 20), ("left", "right"), brighter_side)
        >>> [(one.class_name, one.transform, one.changed, one.flagged) for one in found]
        [('left', 'flip', 1.0, True), ('right', 'flip', 1.0, True)]
    """
    if not len(x):
        raise DataError("label_safety: there are no samples.")
    labels = np.asarray(labels)
    size = tuple(x.shape[2:])
    policy.check(x.shape[1], size, classes)
    before = _predicted(posteriors, x, len(classes))
    found = []
    for label, name in enumerate(classes):
        of_class = np.flatnonzero(labels == label)
        right = of_class[before[of_class] == label]
        if not len(right):
            continue
        base = 1 - len(right) / len(of_class)
        for step in policy.fitted(x.shape[1], size, name).as_far_as_it_goes():
            alone = _alone(step, policy)
            after = [
                _predicted(posteriors, alone.apply(x[right], right, seed, epoch), len(classes))
                for epoch in range(repeats)
            ]
            other = np.concatenate(after)
            other = other[other != label]
            changed = len(other) / (repeats * len(right))
            # Views of one sample are no independent samples: what chance explains goes by the samples.
            flagged = changed >= base + WELL_ABOVE and _lowest(changed, len(right)) > base
            becomes = classes[int(np.bincount(other).argmax())] if len(other) else ""
            found.append(Sensitivity(name, step.name, len(right), changed, base, flagged, becomes))
    return found


def _alone(step: Step, policy: Policy) -> Policy:
    """A policy that does one step to every sample, with the boundary and interpolation that mean something to it."""
    read_between = step.name in RESAMPLING
    return Policy(
        steps=(replace(step, chance=1.0),),
        boundary=policy.boundary if read_between or step.name == "shift" else None,
        interpolation=policy.interpolation if read_between else None,
    )


def _predicted(posteriors: Callable[[Tensor], Tensor | np.ndarray], x: Tensor, num_classes: int) -> np.ndarray:
    found = [torch.as_tensor(posteriors(part)) for part in x.split(BATCH)]
    whole = torch.cat(found)
    if whole.shape != (len(x), num_classes):
        raise ShapeError(
            f"label_safety: posteriors gave {tuple(whole.shape)}, expected (batch, classes) = {(len(x), num_classes)}."
        )
    return whole.argmax(1).numpy()


def _lowest(share: float, number: int) -> float:
    """The lower end of Wilson's 95 % interval.

    Source: Wilson 1927, doi:10.1080/01621459.1927.10502953.

    >>> round(_lowest(0.5, 10), 3), _lowest(0.0, 10)
    (0.237, 0.0)
    """
    z2 = Z95**2 / number
    middle, half = share + z2 / 2, Z95 * math.sqrt(share * (1 - share) / number + z2 / (4 * number))
    return max(0.0, (middle - half) / (1 + z2))
