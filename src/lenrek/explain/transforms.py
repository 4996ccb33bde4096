"""What is done to an input, and in the same places to an output: shifts, flips, rotations, scalings, contrast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, ClassVar

from torch import Tensor

from lenrek.errors import OptionError
from lenrek.explain.movements import Flip, Rotation, Scaling, Shift
from lenrek.explain.transform import Frame, Transform

__all__ = ["Brightness", "Contrast", "Flip", "Rotation", "Scaling", "Shift", "read_transform"]


class _Photometric(Transform):
    """Values change, places stay."""

    def known(self, valid: Tensor, frame: Frame, size: float) -> Tensor:
        return valid


@dataclass(frozen=True)
class Contrast(_Photometric):
    """Values `size` times as far from their mean, T f = m + size · (f − m), m the mean of each sample's channel.

    Of a layer's output, in the same way: what an affine layer with circular boundary does exactly.
    """

    name: ClassVar[str] = "contrast"
    unit: ClassVar[str] = "times"
    sizes: ClassVar[tuple[float, ...]] = (0.25, 0.5, 0.75, 1.25, 1.5, 2)

    def check_sizes(self, sizes: Sequence[float]) -> None:
        if min(sizes) < 0:
            raise OptionError(f"Contrast: size is {min(sizes):g}, expected a factor of at least 0.")

    def apply(self, x: Tensor, frame: Frame, size: float) -> Tensor:
        mean = x.mean(tuple(range(2, x.ndim)), keepdim=True)
        return mean + size * (x - mean)


@dataclass(frozen=True)
class Brightness(_Photometric):
    """A constant added, `size` standard deviations of the sample. A layer's output is expected not to change."""

    name: ClassVar[str] = "brightness"
    unit: ClassVar[str] = "standard deviations"
    sizes: ClassVar[tuple[float, ...]] = (-1, -0.5, -0.25, 0.25, 0.5, 1)

    def apply(self, x: Tensor, frame: Frame, size: float) -> Tensor:
        return x + size * x.std(tuple(range(1, x.ndim)), correction=0, keepdim=True)

    def expect(self, y: Tensor, frame: Frame, size: float) -> Tensor:
        return y


TRANSFORMS: dict[str, type[Transform]] = {
    kind.name: kind for kind in (Shift, Flip, Rotation, Scaling, Contrast, Brightness)
}


def read_transform(given: str | Transform, who: str, **options: Any) -> Transform:
    """A transform by its name, or one that is given as it is.

    Args:
        options: of the transform; None leaves the default, and what it does not have is refused.
    Raises:
        OptionError: an unknown name or option.
    Example:
        >>> read_transform("shift", "equivariance", axis=0)
        Shift(axis=0, boundary='zeros')
    """
    if isinstance(given, Transform):
        return given
    if given not in TRANSFORMS:
        near = get_close_matches(str(given), TRANSFORMS, n=1)
        hint = "".join(f"\n  Hint: did you mean {name}?" for name in near)
        raise OptionError(f"{who}: transform is {given!r}, expected one of {', '.join(TRANSFORMS)}.{hint}")
    kind = TRANSFORMS[given]
    asked = {name: value for name, value in options.items() if value is not None}
    if odd := [name for name in asked if name not in kind.__dataclass_fields__]:  # type: ignore[attr-defined]
        raise OptionError(f"{who}: {odd[0]}={asked[odd[0]]} has no effect on {given}.\n  Hint: leave it out.")
    return kind(**asked)
