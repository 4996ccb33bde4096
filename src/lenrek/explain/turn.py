"""Samples of a plane of two axes read at any positions, bicubic, with zeros outside."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

ROUNDING = 1e-6  # in samples: cos 90° is not quite 0


def turn(x: Tensor, rows: Tensor, columns: Tensor, axes: tuple[int, int]) -> Tensor:
    """`x` with its plane of `axes` read at (rows, columns), two float64 tensors of the plane's shape.

    Example: a quarter turn, which moves samples and mixes none.
        >>> rows, columns = torch.tensor([[0., 1.], [0., 1.]]), torch.tensor([[1., 1.], [0., 0.]])
        >>> turn(torch.arange(4.).reshape(1, 1, 2, 2), rows, columns, (2, 3))
        tensor([[[[1., 3.],
                  [0., 2.]]]])
    """
    plane = x.movedim(axes, (-2, -1))
    flat = plane.reshape(1, -1, *plane.shape[-2:])
    mode = "bicubic"
    if _whole(rows) and _whole(columns):
        rows, columns, mode = rows.round(), columns.round(), "nearest"
    height, width = plane.shape[-2:]
    grid = torch.stack([(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1], -1)[None].to(x.dtype)
    read = F.grid_sample(flat, grid, mode=mode, padding_mode="zeros", align_corners=False)
    return read.reshape(plane.shape).movedim((-2, -1), axes)


def turn_known(valid: Tensor, rows: Tensor, columns: Tensor, axes: tuple[int, int]) -> Tensor:
    """Which samples of `turn` come from valid samples alone, and none from outside the plane; bool, as `valid`."""
    plane = valid.movedim(axes, (-2, -1))
    height, width = plane.shape[-2:]
    unknown = F.pad((~plane).reshape(1, -1, height, width).float(), (1, 2, 1, 2), value=1.0)
    if _whole(rows) and _whole(columns):
        rows, columns, unknown = rows.round(), columns.round(), unknown[..., 1:-2, 1:-2]
    else:
        unknown = F.max_pool2d(unknown, 4, stride=1)  # the 4×4 samples around each place
    rows, columns = rows.floor().long(), columns.floor().long()
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    read = unknown[..., rows.clamp(0, height - 1), columns.clamp(0, width - 1)]
    found = ((read == 0) & inside).reshape(plane.shape)
    return found.movedim((-2, -1), axes)


def _whole(positions: Tensor) -> bool:
    return bool(((positions - positions.round()).abs() < ROUNDING).all())
