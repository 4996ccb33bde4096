"""An input by its spectrum, in which a step of one size changes coarse and fine alike; and how it becomes values."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lenrek.models.contract import InputContract

# The symmetric square root of the covariance of red, green and blue in 2,500 photos of CIFAR-10, over their mean
# standard deviation: independent noise becomes noise in the colours of photos.
PHOTO_COLOURS = ((0.778, 0.480, 0.367), (0.480, 0.690, 0.488), (0.367, 0.488, 0.843))
WIDEST_SD = 6.0  # around the mean, in standard deviations: volumes of 0 and 1 stored as uint8 are far from 255
FLOAT_SD = 3.0  # of what is stored as floats and has no limits of its own


def spectrum_scale(size: tuple[int, ...], decay: float) -> Tensor:
    """1 / frequency^decay for each coefficient of `torch.fft.rfftn` over axes of `size`; mean square over the plane 1.

    Frequencies are in cycles per sample, and those below one cycle per the longest axis count as that.

    >>> spectrum_scale((4,), 1.0).round(decimals=3)
    tensor([1.2340, 1.2340, 0.6170])
    """
    axes = [torch.fft.fftfreq(n) for n in size[:-1]] + [torch.fft.rfftfreq(size[-1])]
    squares = torch.zeros([len(one) for one in axes])
    for place, one in enumerate(axes):
        squares = squares + one.square().reshape([-1 if place == axis else 1 for axis in range(len(axes))])
    scale = squares.sqrt().clamp(min=1 / max(size)).pow(-decay)
    # Power in the plane of a coefficient of power 1: it and its mirror image add up; of those at the borders, which
    # have none, the real half counts.
    power = torch.full_like(scale, 2.0)
    power[..., 0] = 0.5
    if size[-1] % 2 == 0:
        power[..., -1] = 0.5
    return scale / ((scale.square() * power).sum() / math.prod(size)).sqrt()


@dataclass(frozen=True)
class Values:
    """Which values an input may have, and how the network takes them.

    Attributes:
        low, high: per channel, as the contract scales them.
        mean, std: per channel.
        photo: whether the channels are red, green and blue.
    """

    low: Tensor
    high: Tensor
    mean: Tensor
    std: Tensor
    photo: bool

    @classmethod
    def of(cls, contract: InputContract | None, channels: int, axes: int) -> Values:
        """Pixels 0 to 1 and sound −1 to 1, within 6 standard deviations around the mean; floats, and what has no
        contract, within 3."""
        mean = torch.zeros(channels) if contract is None else torch.tensor(contract.mean)
        std = torch.ones(channels) if contract is None else torch.tensor(contract.std)
        full_scale = 1 if contract is None else contract.full_scale
        reach = (FLOAT_SD if full_scale == 1 else WIDEST_SD) * std
        low, high = mean - reach, mean + reach
        if full_scale != 1:
            low, high = low.clamp(min=0 if full_scale == 255 else -1), high.clamp(max=1)
        shape = (-1, *[1] * axes)
        photo = channels == 3 and axes == 2 and full_scale == 255
        low, high, mean, std = (one.float().reshape(shape) for one in (low, high, mean, std))
        return cls(low, high, mean, std, photo)

    def free(self, unbounded: Tensor) -> Tensor:
        """Any numbers (channels, *size) as values between low and high; 0 is the middle."""
        if self.photo:
            unbounded = torch.tensordot(torch.tensor(PHOTO_COLOURS).to(unbounded), unbounded, dims=1)
        return self.low + (self.high - self.low) * torch.sigmoid(unbounded)

    def normalised(self, values: Tensor) -> Tensor:
        return (values - self.mean) / self.std
