"""Samples moved by whole steps and mirrored: copies of values, none of which is computed."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor, from_numpy, where

from lenrek.data.augmentation.drawn import Drawn
from lenrek.data.augmentation.spatial import shift_samples
from lenrek.data.augmentation.transforms import FLIPS
from lenrek.geometry import Boundary

MODES = {"replicate": "edge", "reflect": "reflect", "symmetric": "symmetric", "circular": "wrap"}  # as NumPy says


def move(x: Tensor, drawn: Drawn, boundary: Boundary) -> Tensor:
    """x (batch, channels, *size), shifted, then mirrored; `x` itself where neither happens."""
    if "shift" in drawn:
        x = from_numpy(_shifted(x.numpy(), shift_samples(drawn, tuple(x.shape[2:])), boundary))
    for name, axis in FLIPS.items():
        if name in drawn:
            mirrored = from_numpy(drawn.on(name)).reshape(-1, *(1 for _ in x.shape[1:]))
            x = where(mirrored, x.flip(axis), x)
    return x


def _shifted(x: np.ndarray, further: np.ndarray, boundary: Boundary) -> np.ndarray:
    size = x.shape[2:]
    reach = np.abs(further).max(1, initial=0)
    # Each sample is a window of the padded batch: one gather of rows, whatever the number of axes.
    sides = [(0, 0), (0, 0), *((int(r), int(r)) for r in reach)]
    if boundary in MODES:
        padded = np.pad(x, sides, mode=MODES[boundary])  # type: ignore[call-overload]
    else:
        padded = np.pad(x, sides, constant_values=0 if boundary == "zeros" else boundary)
    windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=tuple(range(2, x.ndim)))
    starts = [f + r for f, r in zip(further, reach, strict=True)]
    which: list[Any] = [np.arange(len(x)), slice(None), *starts]
    return windows[tuple(which)]
