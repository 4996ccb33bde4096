"""Every geometric transform of a sample as one map, which moves images, points and boxes alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np
import torch
from torch import Tensor

from lenrek.data.augmentation.drawn import Drawn
from lenrek.data.augmentation.transforms import FLIPS
from lenrek.errors import ShapeError
from lenrek.geometry import Boundary
from lenrek.kernels.resample import Interpolation, resample

ASPECT = 4 / 3  # of a crop: up to this much longer along one axis than along another
CONTROLS = 4  # intervals between the points that bend a sample, per axis
CONTROL_DRAWS = 2048  # numbers from here on belong to them
INVERSE_STEPS = 30
EDGE_POINTS = 9  # along each edge of a box, whose image may bow
CROP_SHAPE, CROP_PLACE = 1, 8  # draws from here on, one per axis; draw 0 is the share that is kept


@dataclass(frozen=True)
class SpatialMaps:
    """Where every output position of each sample of a batch reads its input.

    Attributes:
        matrix: (batch, axes + 1, axes + 1) float64, from output to input, in samples, homogeneous.
        displacement: (batch, axes, *size) float32, added to that; None for none.
        size: of the samples.
    """

    matrix: Tensor
    displacement: Tensor | None
    size: tuple[int, ...]

    def samples(self, x: Tensor, boundary: Boundary, interpolation: Interpolation) -> Tensor:
        """x (batch, channels, *size), moved."""
        return resample(x, self.matrix, self.displacement, boundary=boundary, interpolation=interpolation)

    def points(self, points: Tensor) -> Tensor:
        """Where the samples at `points` are found afterwards.

        Args:
            points: (batch, number, axes), in samples, in the order of the axes.
        Returns:
            float64, of the same shape; some may lie outside.
        Raises:
            ShapeError: not one set of points per sample.
        """
        if points.ndim != 3 or (len(points), points.shape[2]) != (len(self.matrix), len(self.size)):
            raise ShapeError(
                f"points: {tuple(points.shape)}, expected (batch, number, axes) = "
                f"({len(self.matrix)}, number, {len(self.size)})."
            )
        wanted, inverse = points.double(), torch.linalg.inv(self.matrix)
        found = _mapped(inverse, wanted)
        if self.displacement is not None:
            for _ in range(INVERSE_STEPS):  # contracts, as displacements change little from a sample to the next
                found = _mapped(inverse, wanted - self._displaced(found))
        return found

    def boxes(self, boxes: Tensor) -> Tensor:
        """The smallest boxes around what the samples in `boxes` become, cut at the edges.

        Args:
            boxes: (batch, number, 2, axes): the lowest and the highest corner, in samples.
        Returns:
            float64, of the same shape; a box that lies outside has no extent.
        """
        if boxes.ndim != 4 or boxes.shape[2] != 2:
            raise ShapeError(f"boxes: {tuple(boxes.shape)}, expected (batch, number, 2, axes).")
        along = torch.linspace(0, 1, EDGE_POINTS, dtype=torch.float64)
        parts = torch.cartesian_prod(*[along] * len(self.size)).reshape(-1, len(self.size))
        low, high = boxes.double().unbind(2)
        points = low.unsqueeze(2) + (high - low).unsqueeze(2) * parts
        moved = self.points(points.flatten(1, 2)).reshape(points.shape)
        most = torch.tensor(self.size, dtype=torch.float64) - 1
        around = torch.stack([moved.amin(2), moved.amax(2)], 2)
        return torch.minimum(around.clamp(min=0), most)

    def _displaced(self, points: Tensor) -> Tensor:
        """The displacement at output positions between its samples."""
        assert self.displacement is not None
        grids = []
        for sample, at in zip(self.displacement, points, strict=True):
            # One point as one "pixel": the resampler reads the field at any position.
            matrix = torch.zeros(len(at), len(self.size) + 1, len(self.size) + 1, dtype=torch.float64)
            matrix[:, :-1, -1], matrix[:, -1, -1] = at, 1
            field = sample.unsqueeze(0).expand(len(at), *sample.shape)
            whole = resample(field, matrix, boundary="replicate")
            grids.append(whole.flatten(2)[:, :, 0].double())
        return torch.stack(grids)


def _mapped(matrix: Tensor, points: Tensor) -> Tensor:
    places = torch.cat([points, torch.ones_like(points[..., :1])], -1) @ matrix.transpose(1, 2)
    return places[..., :-1] / places[..., -1:]


def maps(drawn: Drawn, size: tuple[int, ...]) -> SpatialMaps:
    """The map of each sample: cut, scaled, turned, sheared and seen in perspective, then shifted, then mirrored.

    Turns, shears and scales are about the middle, in samples, so that angles stay angles where axes are unequal.
    """
    axes, batch = len(size), len(drawn.index)
    total = np.tile(np.eye(axes + 1), (batch, 1, 1))
    middle = (np.array(size) - 1) / 2
    total[:, :axes, axes] = middle
    for step in (_cut, _scaled, _turned, _sheared, _perspective, _shifted, _mirrored):
        factor = step(drawn, size)
        if factor is not None:
            total = total @ factor
    back = np.eye(axes + 1)
    back[:axes, axes] = -middle
    return SpatialMaps(torch.from_numpy(total @ back), _bent(drawn, size), size)


def draws_of(name: str, axes: int) -> Sequence[int]:
    """Which draws say where a transform (but for flips and bends) goes; of a crop all but those of its shape."""
    if name == "crop":
        return (0, *range(CROP_PLACE, CROP_PLACE + axes))
    planes = math.comb(axes, 2)
    return range({"shift": axes, "rotate": planes, "scale": 1, "shear": 2 * planes, "perspective": axes}[name])


def _eyes(drawn: Drawn, axes: int) -> np.ndarray:
    return np.tile(np.eye(axes + 1), (len(drawn.index), 1, 1))


def _cut(drawn: Drawn, size: tuple[int, ...]) -> np.ndarray | None:
    if "crop" not in drawn:
        return None
    axes, found = len(size), _eyes(drawn, len(size))
    smallest, on = drawn.amount["crop"], drawn.on("crop")
    share = smallest + (1 - smallest) * drawn.uniform("crop")
    longer = math.log(ASPECT) * (drawn.uniform("crop", CROP_SHAPE + np.arange(axes)) - 0.5)
    part = np.minimum(share ** (1 / axes) * np.exp(longer - longer.mean(0)), 1)
    place = (2 * drawn.uniform("crop", CROP_PLACE + np.arange(axes)) - 1) * (1 - part) * np.array(size)[:, None] / 2
    for axis in range(axes):
        found[on, axis, axis] = part[axis, on]
        found[on, axis, axes] = place[axis, on]
    return found


def _scaled(drawn: Drawn, size: tuple[int, ...]) -> np.ndarray | None:
    if "scale" not in drawn:
        return None
    found = _eyes(drawn, len(size))
    amount = drawn.amount["scale"]
    direction = np.divide(drawn.signed("scale"), amount, out=np.zeros_like(amount), where=amount > 0)
    factor = (1 + amount) ** direction
    for axis in range(len(size)):
        found[:, axis, axis] = 1 / factor
    return found


def _turned(drawn: Drawn, size: tuple[int, ...]) -> np.ndarray | None:
    """By an angle of its own in the plane of every two axes."""
    if "rotate" not in drawn:
        return None
    total = _eyes(drawn, len(size))
    for number, (a, b) in enumerate(combinations(range(len(size)), 2)):
        angle, turn = np.radians(drawn.signed("rotate", number)), _eyes(drawn, len(size))
        turn[:, a, a] = turn[:, b, b] = np.cos(angle)
        turn[:, a, b], turn[:, b, a] = np.sin(angle), -np.sin(angle)
        total = total @ turn
    return total


def _sheared(drawn: Drawn, size: tuple[int, ...]) -> np.ndarray | None:
    """Each axis along every other, one after the other."""
    if "shear" not in drawn:
        return None
    total = _eyes(drawn, len(size))
    for number, (a, b) in enumerate(permutations(range(len(size)), 2)):
        shear = _eyes(drawn, len(size))
        shear[:, a, b] = np.tan(np.radians(drawn.signed("shear", number)))
        total = total @ shear
    return total


def _perspective(drawn: Drawn, size: tuple[int, ...]) -> np.ndarray | None:
    if "perspective" not in drawn:
        return None
    found, axes = _eyes(drawn, len(size)), len(size)
    for axis, samples in enumerate(size):
        found[:, axes, axis] = drawn.signed("perspective", axis) / max(samples / 2, 1)
    return found


def shift_samples(drawn: Drawn, size: tuple[int, ...]) -> np.ndarray:
    """(axes, batch) whole samples by which each is read further on."""
    found = np.zeros((len(size), len(drawn.index)), np.int64)
    if "shift" in drawn:
        for axis, samples in enumerate(size):
            reach = (drawn.amount["shift"] * samples).astype(np.int64)
            found[axis] = (drawn.uniform("shift", axis) * (2 * reach + 1)).astype(np.int64) - reach
    return found


def _shifted(drawn: Drawn, size: tuple[int, ...]) -> np.ndarray | None:
    if "shift" not in drawn:
        return None
    found = _eyes(drawn, len(size))
    found[:, : len(size), len(size)] = shift_samples(drawn, size).T
    return found


def _mirrored(drawn: Drawn, size: tuple[int, ...]) -> np.ndarray | None:
    if not any(name in drawn for name in FLIPS):
        return None
    found = _eyes(drawn, len(size))
    for name, axis in FLIPS.items():
        found[drawn.on(name), len(size) + axis, len(size) + axis] = -1
    return found


def _bent(drawn: Drawn, size: tuple[int, ...]) -> Tensor | None:
    """A smooth random displacement: cubic B-splines over a coarse grid of points."""
    if "elastic" not in drawn:
        return None
    axes, points = len(size), CONTROLS + 3
    on = np.flatnonzero(drawn.on("elastic"))
    numbers = np.arange(axes * points**axes)
    at = Drawn(drawn.index[on], drawn.seed, drawn.epoch).uniform("elastic", CONTROL_DRAWS + numbers)
    controls = torch.from_numpy((2 * at.T - 1).reshape(len(on), axes, *[points] * axes)).float()
    splines = [_splines(samples) for samples in size]
    found = torch.zeros(len(drawn.index), axes, *size)
    for position, field in zip(on.tolist(), controls, strict=True):  # one by one: products of many round otherwise
        for along in splines:
            field = torch.tensordot(field, along, ([1], [1]))  # its axis goes last, so that all have a turn
        for axis, samples in enumerate(size):
            found[position, axis] = field[axis] * (samples * drawn.amount["elastic"][position])
    return found


def _splines(samples: int) -> Tensor:
    """(samples, controls): what each control point counts at each sample; rows sum to 1."""
    at = torch.arange(samples, dtype=torch.float64) * CONTROLS / max(samples - 1, 1)
    distance = (at.unsqueeze(1) - (torch.arange(CONTROLS + 3) - 1)).abs()
    near = 2 / 3 - distance.square() + distance**3 / 2
    far = (2 - distance).clamp(min=0) ** 3 / 6
    return torch.where(distance < 1, near, far).float()
