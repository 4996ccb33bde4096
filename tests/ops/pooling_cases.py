"""Windows to pool over, drawn with every parameter of every axis on its own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

BOUNDARIES = ("ignore", "zeros", "reflect", "symmetric", "replicate", "circular", -1.5, 2.0)


class Case(NamedTuple):
    x: np.ndarray  # (2, 3, *size), few different values, so that many are equal
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    sides: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    boundary: str | float
    ceil_mode: bool

    def each(self, pooled, *leading):
        """`pooled`, an oracle of one channel, of every channel."""
        channels = [pooled(c, *leading, *self[1:]) for c in self.x.reshape(-1, *self.x.shape[2:])]
        stacked = [np.stack(found) for found in zip(*channels, strict=True)] if isinstance(channels[0], list) else None
        if stacked is None:
            return np.stack(channels).reshape(2, 3, *channels[0].shape)
        return [found.reshape(2, 3, *found.shape[1:]) for found in stacked]


@st.composite
def cases(draw, boundaries=BOUNDARIES, ceil_modes=(False, True)):
    ndim = draw(st.integers(1, 4))
    boundary = draw(st.sampled_from(boundaries))
    size, kernel, stride, sides, dilation = [], [], [], [], []
    for _ in range(ndim):
        n = draw(st.integers(1, 3 if ndim > 2 else 6))
        most = min(2, n - 1 if boundary == "reflect" else n if boundary == "symmetric" else 2)
        size.append(n)
        kernel.append(draw(st.integers(1, 3)))
        stride.append(draw(st.integers(1, 3)))
        sides.append((draw(st.integers(0, most)), draw(st.integers(0, most))))
        dilation.append(draw(st.integers(1, 2)))
        assume(dilation[-1] * (kernel[-1] - 1) < n + sum(sides[-1]))
    seed = draw(st.integers(0, 2**16))
    x = np.random.default_rng(seed).integers(-3, 3, (2, 3, *size)).astype(float)
    return Case(x, *map(tuple, (kernel, stride, sides, dilation)), boundary, draw(st.sampled_from(ceil_modes)))
