"""Problems drawn at random: every parameter per axis, unequal, kernels asymmetric, small enough for plain loops."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from hypothesis import strategies as st

BOUNDARIES = ("zeros", "reflect", "symmetric", "replicate", "circular", 0.75)


@dataclass(frozen=True)
class Problem:
    """One convolution: tensors in float64, and what it is asked to do."""

    x: torch.Tensor
    weight: torch.Tensor
    bias: torch.Tensor | None
    stride: tuple[int, ...]
    sides: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int
    boundary: str | float

    @property
    def ndim(self) -> int:
        return len(self.stride)

    @property
    def options(self) -> dict:
        return {
            "stride": self.stride,
            "padding": self.sides,
            "dilation": self.dilation,
            "groups": self.groups,
            "boundary": self.boundary,
        }


@st.composite
def problems(draw, boundaries=BOUNDARIES, ndims=(1, 2, 3, 4)) -> Problem:
    ndim = draw(st.sampled_from(ndims))
    most = {1: 4, 2: 3, 3: 3, 4: 2}[ndim]

    def sizes(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(ndim))

    kernel, stride, dilation = sizes(1, most), sizes(1, 3), sizes(1, 3 if ndim < 4 else 2)
    boundary = draw(st.sampled_from(boundaries))
    padding = 4 if ndim < 3 else 2
    sides = tuple((draw(st.integers(0, padding)), draw(st.integers(0, padding))) for _ in range(ndim))
    in_size = []
    for k, d, side in zip(kernel, dilation, sides, strict=True):
        # Large enough for one window, and for the mirrors.
        least = max(1, d * (k - 1) + 1 - sum(side), max(side) + 1 if boundary in ("reflect", "symmetric") else 1)
        in_size.append(least + draw(st.integers(0, 3 if ndim < 3 else 1)))
    groups = draw(st.sampled_from((1, 2, 3)))
    ins, outs = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    numbers = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def normal(*shape):
        return torch.from_numpy(numbers.standard_normal(shape))

    bias = normal(outs) if draw(st.booleans()) else None
    x = normal(draw(st.integers(1, 2)), ins, *in_size)
    return Problem(x, normal(outs, ins // groups, *kernel), bias, stride, sides, dilation, groups, boundary)
