"""Fewer or more samples of the same waves: resizing in the Fourier domain."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from lenrek.errors import ShapeError
from lenrek.geometry import per_axis
from lenrek.ops.pooling.arguments import check_type, pooled_ndim
from lenrek.ops.tensors import in_format_of


def spectral_pool(x: Tensor, output_size: int | tuple[int, ...]) -> Tensor:
    """Resize by keeping the frequencies that both sizes can hold: the spectrum is cropped, or filled with zeros.

    The mean stays. A periodic input without frequencies from out/2 periods on is resampled exactly: y[p] is its value
    at p·in/out. At an even size the highest frequency, with as many periods as half the samples, stands for a positive
    and a negative one: the two are added where the output cannot tell them apart, and are shared out equally where the
    input could not. So real input gives real output, at every size.

    Args:
        x: (batch, channels, *size), floating or complex; or (channels, *size) if `output_size` is a sequence.
        output_size: samples per axis, fewer than `x` has or more; an int for every axis, or one per axis.
    Returns:
        (batch, channels, *output_size) of the type of `x`; float16 and bfloat16 are computed in float32.
    Raises:
        ShapeError: not one size per axis, or an axis without samples.
        OptionError: an integer type, or a size below 1.
    Source: Rippel, Snoek & Adams 2015, arXiv:1506.03767, §4.
    Example:
        >>> one_period = torch.arange(8) * (2 * torch.pi / 8)
        >>> spectral_pool(1 + one_period.cos()[None], (4,)).round(decimals=4)
        tensor([[2., 1., 0., 1.]])
    """
    who = "spectral_pool"
    check_type(x, who, complex_numbers=True)
    ndim = pooled_ndim(x, output_size, who, "output_size")
    out_size = per_axis(output_size, ndim, who, "output_size")
    in_size = tuple(x.shape[-ndim:])
    if min(in_size) < 1:
        raise ShapeError(f"{who}: x {tuple(x.shape)} has the size {in_size}, expected at least 1 sample on each axis.")
    changed = [axis - ndim for axis in range(ndim) if in_size[axis] != out_size[axis]]
    if not changed:
        return x.clone()
    if x.numel() == 0:  # an empty batch, which PyTorch's Fourier transforms do not take
        return x.flatten(-ndim)[..., :1].expand(*x.shape[:-ndim], prod(out_size)).reshape(*x.shape[:-ndim], *out_size)
    precise = x if x.dtype in (torch.float64, torch.complex64, torch.complex128) else x.float()
    if x.is_complex():
        spectrum = torch.fft.fftn(precise, dim=changed, norm="forward")  # "forward": the mean at frequency 0
    else:
        spectrum = torch.fft.rfftn(precise, dim=changed, norm="forward")
    half = None if x.is_complex() else changed[-1]
    for axis in changed:
        resize = _resized_half if axis == half else _resized
        spectrum = resize(spectrum, axis, in_size[axis], out_size[axis])
    size = [out_size[axis] for axis in changed]
    if x.is_complex():
        y = torch.fft.ifftn(spectrum, dim=changed, norm="forward")
    else:
        y = torch.fft.irfftn(spectrum, s=size, dim=changed, norm="forward")
    return in_format_of(x, y.to(x.dtype))


def _resized(spectrum: Tensor, axis: int, n: int, m: int) -> Tensor:
    """An axis with the frequencies 0, 1, …, −2, −1 of n samples, as of m samples."""
    low = min(n, m)
    kept = (low - 1) // 2  # frequencies on either side of 0 that have their own place in both
    positive = spectrum.narrow(axis, low // 2, 1)
    if low % 2:
        middle = [_zeros(spectrum, axis, m - low)]
    elif m < n:
        middle = [positive + spectrum.narrow(axis, n - low // 2, 1)]
    else:
        middle = [positive / 2, _zeros(spectrum, axis, m - low - 1), positive / 2]
    return torch.cat([spectrum.narrow(axis, 0, kept + 1), *middle, spectrum.narrow(axis, n - kept, kept)], axis)


def _resized_half(spectrum: Tensor, axis: int, n: int, m: int) -> Tensor:
    """The same where only the frequencies 0 to ⌊n/2⌋ are stored, because the others are their mirror images."""
    low = min(n, m)
    kept = (low - 1) // 2
    pieces = [spectrum.narrow(axis, 0, kept + 1)]
    if low % 2 == 0:
        pieces.append(spectrum.narrow(axis, low // 2, 1) * (2.0 if m < n else 0.5))
    pieces.append(_zeros(spectrum, axis, m // 2 - low // 2))
    return torch.cat(pieces, axis)


def _zeros(spectrum: Tensor, axis: int, count: int) -> Tensor:
    """`count` frequencies along an axis that are not there."""
    shape = list(spectrum.shape)
    shape[axis] = count
    return spectrum.new_zeros(shape)
