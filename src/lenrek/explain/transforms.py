"""What is done to an input, and in the same places to an output: shifts, flips, rotations, scalings, contrast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, ClassVar, NamedTuple, get_args

import torch
from torch import Tensor

from lenrek.errors import OptionError
from lenrek.explain.interpolation import NEGLIGIBLE, Taps, cubic_taps, fourier_shift
from lenrek.explain.turn import turn, turn_known
from lenrek.geometry import BoundaryName
from lenrek.geometry.axes import axes as counted_axes


class Grid(NamedTuple):
    """Where the samples of one axis lie, measured in samples of the input: first, first + step, …, `size` of them."""

    first: float
    step: float
    size: int


@dataclass(frozen=True)
class Frame:
    """The places of a volume's samples, and the middle of the input, about which things turn.

    The input's own frame has first = 0 and step = 1; that of a layer's output is where its receptive fields have
    their centres. A transform is one and the same in both; only the places at which it is read differ.
    """

    grids: tuple[Grid, ...]
    centre: tuple[float, ...]

    @classmethod
    def of_input(cls, size: Sequence[int]) -> Frame:
        return cls(tuple(Grid(0.0, 1.0, n) for n in size), tuple((n - 1) / 2 for n in size))


class Transform:
    """A family of transforms, one for each size.

    Attributes:
        name: as `lenrek.equivariance` and the command know it.
        unit: of the size.
        sizes: the usual ones.
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    sizes: ClassVar[tuple[float, ...]]

    def check(self, in_size: Sequence[int]) -> None:
        """Raise `OptionError` where samples of this size cannot be transformed so."""

    def check_sizes(self, sizes: Sequence[float]) -> None:
        """Raise `OptionError` for a size that means nothing."""

    def apply(self, x: Tensor, frame: Frame, size: float) -> Tensor:
        """`x` (batch, channels, *size), whose samples lie as `frame` says, transformed; a new tensor."""
        raise NotImplementedError

    def expect(self, y: Tensor, frame: Frame, size: float) -> Tensor:
        """What equivariance expects of a layer's output `y`: the same transform, read at the output's places."""
        return self.apply(y, frame, size)

    def known(self, valid: Tensor, frame: Frame, size: float) -> Tensor:
        """Which samples of `apply` come from valid samples alone, and none from outside: bool, of the frame's shape."""
        raise NotImplementedError

    def describe(self) -> str:
        return self.name


class _AlongAxes(Transform):
    """A transform that goes axis by axis: position p of the result is read at α·p + β."""

    def _axes(self, frame: Frame) -> Sequence[int]:
        raise NotImplementedError

    def _taps(self, grid: Grid, centre: float, size: float, axis: int) -> Taps:
        raise NotImplementedError

    def apply(self, x: Tensor, frame: Frame, size: float) -> Tensor:
        for axis in self._axes(frame):
            x = self._taps(frame.grids[axis], frame.centre[axis], size, axis).read(x, 2 + axis)
        return x

    def known(self, valid: Tensor, frame: Frame, size: float) -> Tensor:
        for axis in self._axes(frame):
            valid = self._taps(frame.grids[axis], frame.centre[axis], size, axis).known(valid, axis)
        return valid


@dataclass(frozen=True)
class Shift(_AlongAxes):
    """Moved along one axis, (T f)(u) = f(u − size), size in samples of the input, also fractions of one.

    Between samples cubic convolution reads; on a circle the Fourier shift theorem does, which is exact for band-limited
    signals. A layer's output, whose samples are `step` input samples apart, is moved by size / step of its own.

    Args:
        axis: spatial axis, 0 the first; −1 the last.
        boundary: what comes in at the border: zeros, reflect, symmetric, replicate or circular.
    Raises:
        OptionError: an unknown boundary, an axis that the samples do not have.
    """

    name: ClassVar[str] = "shift"
    unit: ClassVar[str] = "samples"
    sizes: ClassVar[tuple[float, ...]] = (0.5, 1, 1.5, 2, 3, 4, 5, 6, 7, 8)

    axis: int = -1
    boundary: BoundaryName = "zeros"

    def __post_init__(self) -> None:
        if self.boundary not in get_args(BoundaryName):
            near = get_close_matches(str(self.boundary), get_args(BoundaryName), n=1)
            known = ", ".join(get_args(BoundaryName))
            hint = "".join(f"\n  Hint: did you mean {name}?" for name in near)
            raise OptionError(f"Shift: boundary is {self.boundary!r}, expected one of {known}.{hint}")

    def check(self, in_size: Sequence[int]) -> None:
        _check_axis(self.axis, len(in_size), "Shift")

    def describe(self) -> str:
        return f"shift along axis {self.axis}, boundary {self.boundary}"

    def _axes(self, frame: Frame) -> Sequence[int]:
        return (self.axis % len(frame.grids),)

    def _taps(self, grid: Grid, centre: float, size: float, axis: int) -> Taps:
        positions = _places(grid.size) - size / grid.step
        return cubic_taps(positions, grid.size, self.boundary, axis=axis, who="Shift")

    def apply(self, x: Tensor, frame: Frame, size: float) -> Tensor:
        (axis,) = self._axes(frame)
        own = size / frame.grids[axis].step
        if self.boundary == "circular" and abs(own - round(own)) > NEGLIGIBLE:
            return fourier_shift(x, own, 2 + axis)
        return super().apply(x, frame, size)

    def known(self, valid: Tensor, frame: Frame, size: float) -> Tensor:
        (axis,) = self._axes(frame)
        own = size / frame.grids[axis].step
        if self.boundary == "circular" and abs(own - round(own)) > NEGLIGIBLE:
            return torch.zeros_like(valid)  # every sample takes part in every other
        return super().known(valid, frame, size)


@dataclass(frozen=True)
class Flip(_AlongAxes):
    """Mirrored along one axis, about the middle of the input. It has no size.

    Args:
        axis: spatial axis; −1, the last: left and right of images.
    """

    name: ClassVar[str] = "flip"
    unit: ClassVar[str] = ""
    sizes: ClassVar[tuple[float, ...]] = ()

    axis: int = -1

    def check(self, in_size: Sequence[int]) -> None:
        _check_axis(self.axis, len(in_size), "Flip")

    def describe(self) -> str:
        return f"flip of axis {self.axis}"

    def _axes(self, frame: Frame) -> Sequence[int]:
        return (self.axis % len(frame.grids),)

    def _taps(self, grid: Grid, centre: float, size: float, axis: int) -> Taps:
        positions = 2 * (centre - grid.first) / grid.step - _places(grid.size)
        return cubic_taps(positions, grid.size, "zeros")


@dataclass(frozen=True)
class Scaling(_AlongAxes):
    """Enlarged by the factor `size` about the middle of the input, (T f)(u) = f(c + (u − c) / size), on every axis.

    Cubic convolution; where the factor is below 1 its kernel is widened by 1 / size against aliasing. Zeros come in at
    the border.
    """

    name: ClassVar[str] = "scaling"
    unit: ClassVar[str] = "times"
    sizes: ClassVar[tuple[float, ...]] = (0.5, 0.7, 0.8, 0.9, 1.1, 1.25, 1.5, 2)

    def check_sizes(self, sizes: Sequence[float]) -> None:
        if min(sizes) <= 0:
            raise OptionError(f"Scaling: size is {min(sizes):g}, expected a factor above 0.")

    def _axes(self, frame: Frame) -> Sequence[int]:
        return range(len(frame.grids))

    def _taps(self, grid: Grid, centre: float, size: float, axis: int) -> Taps:
        middle = (centre - grid.first) / grid.step
        positions = middle + (_places(grid.size) - middle) / size
        return cubic_taps(positions, grid.size, "zeros", spread=max(1.0, 1 / size))


@dataclass(frozen=True)
class Rotation(Transform):
    """Turned by `size` degrees about the middle of the input, from the first axis of the plane towards the second.

    Bicubic interpolation; where every sample comes to lie on another one (quarter turns of squares), none. Zeros come
    in at the corners.

    Args:
        plane: two spatial axes; the last two by default, in which a positive angle turns images counter-clockwise.
    """

    name: ClassVar[str] = "rotation"
    unit: ClassVar[str] = "degrees"
    sizes: ClassVar[tuple[float, ...]] = (5, 10, 15, 20, 30, 45, 60, 90)

    plane: tuple[int, int] = (-2, -1)

    def check(self, in_size: Sequence[int]) -> None:
        if len(in_size) < 2:
            raise OptionError(
                "Rotation: signals have a single axis, a rotation needs two.\n"
                "  Hint: shift, flip, scaling, contrast and brightness are defined for signals."
            )
        for axis in self.plane:
            _check_axis(axis, len(in_size), "Rotation")
        if self.plane[0] % len(in_size) == self.plane[1] % len(in_size):
            raise OptionError(f"Rotation: plane {self.plane} names one axis twice, expected two axes.")

    def describe(self) -> str:
        return f"rotation in the plane of axes {self.plane[0]} and {self.plane[1]}"

    def apply(self, x: Tensor, frame: Frame, size: float) -> Tensor:
        return turn(x, *self._read_at(frame, size), self._axes(frame, 2))

    def known(self, valid: Tensor, frame: Frame, size: float) -> Tensor:
        return turn_known(valid, *self._read_at(frame, size), self._axes(frame, 0))

    def _axes(self, frame: Frame, first: int) -> tuple[int, int]:
        a, b = (first + axis % len(frame.grids) for axis in self.plane)
        return a, b

    def _read_at(self, frame: Frame, degrees: float) -> tuple[Tensor, Tensor]:
        """For every sample of the result, the positions along both axes at which it is read."""
        (a, b), angle = self._axes(frame, 0), torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
        grids = frame.grids[a], frame.grids[b]
        places = (g.first + g.step * _places(g.size) - frame.centre[i] for g, i in zip(grids, (a, b), strict=True))
        u, v = torch.meshgrid(*places, indexing="ij")
        back_u = angle.cos() * u + angle.sin() * v
        back_v = angle.cos() * v - angle.sin() * u
        return (
            (back_u + frame.centre[a] - grids[0].first) / grids[0].step,
            (back_v + frame.centre[b] - grids[1].first) / grids[1].step,
        )


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


def _places(size: int) -> Tensor:
    return torch.arange(size, dtype=torch.float64)


def _check_axis(axis: int, ndim: int, who: str) -> None:
    if not -ndim <= axis < ndim:
        raise OptionError(f"{who}: axis is {axis}, but the samples have {counted_axes(ndim)}: {-ndim} to {ndim - 1}.")
