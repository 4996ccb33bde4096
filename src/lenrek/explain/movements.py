"""Transforms that move samples to other places: shifts, flips, scalings, rotations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import ClassVar, get_args

import torch
from torch import Tensor

from lenrek.errors import OptionError
from lenrek.explain.interpolation import NEGLIGIBLE, Taps, cubic_taps, fourier_shift
from lenrek.explain.transform import Frame, Grid, Transform
from lenrek.explain.turn import turn, turn_known
from lenrek.geometry import BoundaryName
from lenrek.geometry.axes import axes as counted_axes


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


def _places(size: int) -> Tensor:
    return torch.arange(size, dtype=torch.float64)


def _check_axis(axis: int, ndim: int, who: str) -> None:
    if not -ndim <= axis < ndim:
        raise OptionError(f"{who}: axis is {axis}, but the samples have {counted_axes(ndim)}: {-ndim} to {ndim - 1}.")
