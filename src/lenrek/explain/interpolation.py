"""Reading between the samples of one axis: cubic convolution, and on a circle the Fourier shift theorem."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lenrek.geometry import BoundaryName, check_reach, sources

KEYS_A = -0.75  # as PyTorch's bicubic interpolation has it
NEGLIGIBLE = 1e-9  # in samples, and for weights: rounding of the positions, nothing else


@dataclass(frozen=True)
class Taps:
    """For every sample of the result the samples it is a weighted sum of.

    Attributes:
        index: (out, taps), of the sample read, with the boundary already followed.
        weight: (out, taps) float64; 0 where nothing is read.
        invented: (out, taps), True where the sample lies outside, so that the boundary invents it.
        used: (out, taps), False where the interpolation has no weight for it.
    """

    index: Tensor
    weight: Tensor
    invented: Tensor
    used: Tensor

    def read(self, x: Tensor, axis: int) -> Tensor:
        """`x` resampled along `axis`."""
        shape = [1] * x.ndim
        shape[axis] = len(self.index)
        total: Tensor | None = None
        for index, weight in zip(self.index.T, self.weight.T.to(x.dtype), strict=True):
            if not weight.any():
                continue
            part = x.index_select(axis, index) * weight.reshape(shape)
            total = part if total is None else total + part
        return x.new_zeros(()).expand(x.shape).index_select(axis, self.index[:, 0]) if total is None else total

    def known(self, valid: Tensor, axis: int) -> Tensor:
        """Which samples of the result come from valid samples alone; `valid` is bool and shaped as x."""
        shape = [1] * valid.ndim
        shape[axis] = len(self.index)
        found = torch.ones((), dtype=torch.bool)
        for index, invented, used in zip(self.index.T, self.invented.T, self.used.T, strict=True):
            real = valid.index_select(axis, index) & ~invented.reshape(shape)
            found = found & (real | ~used.reshape(shape))
        return found


def cubic_taps(
    positions: Tensor, size: int, boundary: BoundaryName, *, spread: float = 1.0, axis: int = 0, who: str = "cubic_taps"
) -> Taps:
    """Cubic convolution at `positions` (float64, in samples) of an axis of `size` samples.

    At whole positions the samples themselves are read. A `spread` above 1 widens the kernel by it, as a low-pass filter
    before samples are left out.

    Raises:
        ShapeError: a mirror would need samples from beyond the other end.
    Source: Keys 1981, "Cubic convolution interpolation for digital image processing", doi:10.1109/TASSP.1981.1163711.
    Example:
        >>> taps = cubic_taps(torch.tensor([0.5, 1.0], dtype=torch.float64), 4, "zeros")
        >>> taps.read(torch.tensor([0.0, 1.0, 2.0, 3.0]), 0)
        tensor([0.4062, 1.0000])
    """
    whole = positions.round()
    positions = torch.where((positions - whole).abs() < NEGLIGIBLE, whole, positions)
    reach = math.ceil(2 * spread)
    place = positions.floor().long()[:, None] + torch.arange(1 - reach, reach + 1)
    weight = _keys((positions[:, None] - place).abs() / spread)
    weight = torch.where(weight.abs() < NEGLIGIBLE, 0.0, weight)
    weight = weight / weight.sum(1, keepdim=True)
    invented, used = (place < 0) | (place >= size), weight != 0
    if boundary == "zeros":
        return Taps(place.clamp(0, size - 1), weight * ~invented, invented, used)
    before, after = max(0, -int(place[used].min())), max(0, int(place[used].max()) - size + 1)
    check_reach(size, before, after, boundary, axis, who)
    found = torch.tensor([-1 if i is None else i for i in sources(size, before, after, boundary)])
    return Taps(found[(place + before).clamp(0, len(found) - 1)], weight, invented, used)


def fourier_shift(x: Tensor, shift: float, axis: int) -> Tensor:
    """`x` moved by `shift` samples around the circle, exact for band-limited signals.

    Every frequency f gets the phase −2πf·shift; of the highest one of an even size, which has two signs, the mean.

    Example:
        >>> t = torch.arange(8) / 8
        >>> moved = fourier_shift(torch.cos(2 * torch.pi * t), 0.5, 0)
        >>> torch.allclose(moved, torch.cos(2 * torch.pi * (t - 0.5 / 8)), atol=1e-6)
        True
    """
    size = x.shape[axis]
    frequencies = torch.arange(size // 2 + 1, dtype=torch.float64) / size
    phase = torch.exp(-2j * torch.pi * frequencies * shift)
    shape = [1] * x.ndim
    shape[axis] = len(phase)
    spectrum = torch.fft.rfft(x.to(torch.float64), dim=axis) * phase.reshape(shape)
    return torch.fft.irfft(spectrum, n=size, dim=axis).to(x.dtype)


def _keys(distance: Tensor) -> Tensor:
    """The cubic convolution kernel of a distance ≥ 0."""
    near = ((KEYS_A + 2) * distance - (KEYS_A + 3)) * distance**2 + 1
    far = ((KEYS_A * distance - 5 * KEYS_A) * distance + 8 * KEYS_A) * distance - 4 * KEYS_A
    return torch.where(distance <= 1, near, torch.where(distance < 2, far, 0.0))
