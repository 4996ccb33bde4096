"""Transforms that look at neighbours, add noise or take parts away: only the samples they happen to are touched.

Values are floats of full scale 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from lenrek.data.augmentation.drawn import Drawn

ASPECT = 2.0  # of an erased box: up to so much longer along one axis than along another
BLUR_REACH = 3.0  # standard deviations
SMOOTH_CENTRE = 5.0  # what the sample itself counts among its neighbours, when sharpness is changed

Change = Callable[[Tensor, Drawn, np.ndarray], Tensor]


def blurred(y: Tensor, drawn: Drawn, on: np.ndarray) -> Tensor:
    """A Gaussian of each sample's own width, along every axis, cut at three deviations; edges are repeated."""
    deviation = np.maximum(drawn.positive("blur")[on], 1e-3)
    reach = np.ceil(BLUR_REACH * deviation)
    at = np.arange(-int(reach.max()), int(reach.max()) + 1)
    weight = np.exp(-((at / deviation[:, None]) ** 2) / 2) * (np.abs(at) <= reach[:, None])
    weight = torch.from_numpy(weight / weight.sum(1, keepdims=True)).float()
    for axis in range(2, y.ndim):
        y = _summed(y, {int(step): weight[:, place] for place, step in enumerate(at)}, axis)
    return y


def sharpened(y: Tensor, drawn: Drawn, on: np.ndarray) -> Tensor:
    """Away from a smoothed copy, in which a sample counts five times as much as each neighbour, or towards it."""
    axes = y.ndim - 2
    smooth = y
    for axis in range(2, y.ndim):
        smooth = _summed(smooth, {step: torch.ones(len(y)) for step in (-1, 0, 1)}, axis)
    smooth = (smooth + (SMOOTH_CENTRE - 1) * y) / (3**axes + SMOOTH_CENTRE - 1)
    return smooth + _column(1 + drawn.signed("sharpness")[on], y) * (y - smooth)


def _summed(y: Tensor, weights: dict[int, Tensor], axis: int) -> Tensor:
    """The sum of y shifted along an axis, each time by its own weight per sample; edges are repeated.

    Term by term and not as a convolution, whose rounding goes by the size of the batch.
    """
    length, reach = y.shape[axis], max(weights)
    first, last = (y.narrow(axis, at, 1).repeat_interleave(reach, axis) for at in (0, length - 1))
    padded = torch.cat([first, y, last], axis)
    total = torch.zeros_like(y)
    for step, weight in weights.items():
        total += _column(weight, y) * padded.narrow(axis, reach + step, length)
    return total


def _column(values: np.ndarray | Tensor, like: Tensor) -> Tensor:
    return torch.as_tensor(values).float().reshape(-1, *[1] * (like.ndim - 1))


def noisy(y: Tensor, drawn: Drawn, on: np.ndarray) -> Tensor:
    deviation = drawn.positive("noise")[on]
    for sample, position, size in zip(y, np.flatnonzero(on).tolist(), deviation.tolist(), strict=True):
        noise = drawn.generator("noise", position).standard_normal(tuple(sample.shape), np.float32)
        sample += size * torch.from_numpy(noise)
    return y


def poisson(y: Tensor, drawn: Drawn, on: np.ndarray) -> Tensor:
    """As counted: white is 1 / amount² counts, whose standard deviation is the amount."""
    deviation = drawn.positive("poisson")[on]
    for sample, position, size in zip(y, np.flatnonzero(on).tolist(), deviation.tolist(), strict=True):
        counts = max(size, 1e-4) ** -2
        expected = sample.clamp(min=0).numpy().astype(np.float64) * counts
        counted = drawn.generator("poisson", position).poisson(expected)
        sample.copy_(torch.from_numpy(counted / counts))
    return y


def salted(y: Tensor, drawn: Drawn, on: np.ndarray) -> Tensor:
    """Samples of all channels at once become 0 or 1; of signals −1 or 1."""
    share = drawn.positive("salt_pepper")[on]
    low = -1.0 if y.ndim == 3 else 0.0
    for sample, position, part in zip(y, np.flatnonzero(on).tolist(), share.tolist(), strict=True):
        at = torch.from_numpy(drawn.generator("salt_pepper", position).random(tuple(sample.shape[1:]), np.float32))
        sample[:, at < part / 2] = low
        sample[:, at >= 1 - part / 2] = 1.0
    return y


def erased(y: Tensor, drawn: Drawn, on: np.ndarray) -> Tensor:
    """A box of each sample takes its channels' mean values."""
    size, axes = y.shape[2:], y.ndim - 2
    share = drawn.positive("erase")
    longer = math.log(ASPECT) * (drawn.uniform("erase", 1 + np.arange(axes)) - 0.5)
    part = np.minimum(share ** (1 / axes) * np.exp(longer - longer.mean(0)), 1)
    place = drawn.uniform("erase", 8 + np.arange(axes))
    for sample, position in zip(y, np.flatnonzero(on).tolist(), strict=True):
        box = []
        for axis, samples in enumerate(size):
            length = int(np.rint(part[axis, position] * samples))
            start = int(place[axis, position] * (samples - length + 1))
            box.append(slice(start, start + length))
        sample[(slice(None), *box)] = sample.flatten(1).mean(1).reshape(-1, *[1] * axes)
    return y


def time_masked(y: Tensor, drawn: Drawn, on: np.ndarray) -> Tensor:
    length = np.rint(drawn.positive("mask_time")[on] * y.shape[2]).astype(int)
    start = (drawn.uniform("mask_time", 1)[on] * (y.shape[2] - length + 1)).astype(int)
    for sample, first, number in zip(y, start.tolist(), length.tolist(), strict=True):
        sample[:, first : first + number] = 0
    return y


def frequency_masked(y: Tensor, drawn: Drawn, on: np.ndarray) -> Tensor:
    """A band of the spectrum becomes 0; what does not change over time stays."""
    bands = y.shape[2] // 2
    length = np.rint(drawn.positive("mask_frequency")[on] * bands).astype(int)
    start = 1 + (drawn.uniform("mask_frequency", 1)[on] * (bands - length + 1)).astype(int)
    for sample, first, number in zip(y, start.tolist(), length.tolist(), strict=True):
        spectrum = torch.fft.rfft(sample)
        spectrum[:, first : first + number] = 0
        sample.copy_(torch.fft.irfft(spectrum, y.shape[2]))
    return y


# In the order in which they happen.
BEFORE: dict[str, Change] = {"sharpness": sharpened, "blur": blurred}
AFTER: dict[str, Change] = {
    "noise": noisy,
    "poisson": poisson,
    "salt_pepper": salted,
    "erase": erased,
    "mask_time": time_masked,
    "mask_frequency": frequency_masked,
}
