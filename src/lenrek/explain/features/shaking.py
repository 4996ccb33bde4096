"""Small random moves of an input, so that what is synthesised does not hang on single samples."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

SHIFT, SCALING, ROTATION_DEGREES = 1 / 16, 0.1, 10.0  # at most: of the axis, of the size, in the last two axes


def shaken(x: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """`x` (1, channels, *size) shifted, scaled and (on two axes and more) turned at random; mirrored at its borders.

    One linear resampling does all three.

    Args:
        strength: multiplies the largest shift, scaling and angle; 0 leaves x as it is.
    """
    if not strength:
        return x
    axes = x.ndim - 2
    if axes == 1:  # a row of an image of one row
        return _resampled(x[:, :, None], strength, generator, turned=False).squeeze(2)
    return _resampled(x, strength, generator, turned=True)


def _resampled(x: Tensor, strength: float, generator: torch.Generator, turned: bool) -> Tensor:
    size = torch.tensor(x.shape[2:], dtype=torch.float32)
    axes = len(size)
    draw = 2 * torch.rand(axes + 2, generator=generator) - 1
    shift = draw[:axes] * strength * SHIFT * size * (size > 1)
    scale = 1 + strength * SCALING * float(draw[axes])
    angle = math.radians(strength * ROTATION_DEGREES * float(draw[axes + 1])) if turned else 0.0
    moved = torch.eye(axes)
    moved[-2:, -2:] = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    moved = moved / scale
    # grid_sample's coordinates: −1 to 1 along every axis, the last axis first.
    matrix = moved * size[None, :] / size[:, None]
    theta = torch.cat([matrix, (2 * shift / size)[:, None]], 1)
    theta = torch.cat([theta[:, :axes].flip(1), theta[:, axes:]], 1).flip(0)
    grid = F.affine_grid(theta[None].to(x), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
