"""Correlation in the Fourier domain: its cost does not grow with the kernel.

The three maps of a correlation (forward, and its gradients by x and by weight) are one product: transform two tensors,
multiply them frequency by frequency as matrices over the channels, transform back, and read some samples. They differ
in which tensors, in which of them is conjugated, and in where samples are placed and read.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from lenrek.ops.direct import spread
from lenrek.ops.layout import Layout

_CHUNK_BYTES = 8 << 20  # of one spectrum: small enough to be reused from the heap, not mapped afresh for each call


class _Comb(NamedTuple):
    """Where samples lie in the transform, per axis: start, start + step, …"""

    starts: Sequence[int]
    steps: Sequence[int]


def correlate_fft(x: Tensor, weight: Tensor, layout: Layout) -> Tensor:
    """As `correlate_direct`, the same sums up to rounding: an error of about machine epsilon · log2(transform size).

    Half types are transformed in float32, as there is no transform of theirs.
    """
    signal = x.unflatten(1, (layout.groups, -1)).transpose(0, 1)  # (groups, batch, in, *in_size)
    kernel = weight.unflatten(0, (layout.groups, -1)).transpose(1, 2)  # (groups, in, out, *kernel_size)
    size = transform_size(x.shape[2:], layout.extents(weight.shape[2:]), layout.sides)
    placed, zero = _padded(layout), (0,) * layout.ndim
    taps, read = _Comb(zero, layout.dilation), _Comb(zero, layout.stride)
    out_size = layout.out_size(x.shape[2:], weight.shape[2:])
    y = _product(signal, placed, kernel, taps, read, out_size, size, conjugate="right")
    return y.transpose(0, 1).flatten(1, 2)


def transposed_fft(y: Tensor, weight: Tensor, layout: Layout, in_size: Sequence[int]) -> Tensor:
    """As `transposed_direct`: every window adds its kernel where it read, a convolution of y with the stride's gaps."""
    sums = y.unflatten(1, (layout.groups, -1)).transpose(0, 1)  # (groups, batch, out, *out_size)
    kernel = weight.unflatten(0, (layout.groups, -1))  # (groups, out, in, *kernel_size)
    size = transform_size(in_size, layout.extents(weight.shape[2:]), layout.sides)
    zero = (0,) * layout.ndim
    placed, taps = _Comb(zero, layout.stride), _Comb(zero, layout.dilation)
    x = _product(sums, placed, kernel, taps, _padded(layout), in_size, size, conjugate="neither")
    return x.transpose(0, 1).flatten(1, 2)


def weight_gradient_fft(x: Tensor, y: Tensor, layout: Layout, kernel: Sequence[int]) -> Tensor:
    """As `weight_gradient_direct`: the correlation of x with y, summed over the batch, at the kernel's samples."""
    signal = x.unflatten(1, (layout.groups, -1)).movedim(0, 2)  # (groups, in, batch, *in_size)
    sums = y.unflatten(1, (layout.groups, -1)).transpose(0, 1)  # (groups, batch, out, *out_size)
    size = transform_size(x.shape[2:], layout.extents(kernel), layout.sides)
    zero = (0,) * layout.ndim
    placed, taps = _Comb(zero, layout.stride), _Comb(zero, layout.dilation)
    weight = _product(signal, _padded(layout), sums, placed, taps, kernel, size, conjugate="right")
    return weight.transpose(1, 2).flatten(0, 1)


def transform_size(in_size: Sequence[int], extents: Sequence[int], sides: Sequence[tuple[int, int]]) -> list[int]:
    """Samples per axis of the transforms: products of 2, 3 and 5, for which they are fast.

    Room for the input and the padding of one side (the other side wraps onto it), for the kernel, and for every
    window's position.

    >>> transform_size((61,), (7,), ((3, 3),))
    [64]
    """
    return [
        _fast(max(n + max(before, after), extent, n + before + after - extent + 1))
        for n, extent, (before, after) in zip(in_size, extents, sides, strict=True)
    ]


def _product(
    a: Tensor,
    a_comb: _Comb,
    b: Tensor,
    b_comb: _Comb,
    out_comb: _Comb,
    out_size: Sequence[int],
    size: Sequence[int],
    conjugate: str,
) -> Tensor:
    """a (groups, m, c, *) and b (groups, c, n, *) → (groups, m, n, *out_size), a sum over c and circular shifts."""
    if not (a.numel() and b.numel()):
        return a.new_zeros(a.shape[0], a.shape[1], b.shape[2], *out_size)  # the sum over an empty batch
    dims, elementwise = tuple(range(-len(size), 0)), a.shape[2] == 1
    left = _spectrum(a, a_comb, size, dims)
    if not elementwise:
        left = left.flatten(3).movedim(3, 0).contiguous()  # the frequencies first: matrices in a row are fast
    each = a.element_size() * max(1, b.shape[0] * max(b.shape[1], a.shape[1])) * prod(size)
    step = max(1, _CHUNK_BYTES // each)
    parts = []
    for first in range(0, max(b.shape[2], 1), step):
        right = _spectrum(b[:, :, first : first + step], b_comb, size, dims, conjugate == "right")
        if elementwise:
            product = left * right
        else:
            shape = right.shape[3:]
            product = left @ right.flatten(3).movedim(3, 0).contiguous()
            product = product.movedim(0, 3).contiguous().unflatten(3, shape)
        if a.is_complex():
            total = torch.fft.ifftn(product, dim=dims)
        else:
            total = torch.fft.irfftn(product, s=tuple(size), dim=dims)
        parts.append(_read(total, out_comb, out_size))
    return (parts[0] if len(parts) == 1 else torch.cat(parts, 2)).to(a.dtype)


def _spectrum(x: Tensor, comb: _Comb, size: Sequence[int], dims: tuple[int, ...], conjugate: bool = False) -> Tensor:
    """The transform of x placed on its comb in zeros; `conjugate` gives that of x reversed in time."""
    x = spread(x.float() if x.dtype in (torch.float16, torch.bfloat16) else x, comb.steps)
    amounts: list[int] = []
    for n, total, start in zip(x.shape[-len(size) :], size, comb.starts, strict=True):
        amounts = [start, total - start - n, *amounts]
    x = F.pad(x, amounts)
    if x.is_complex():
        return torch.fft.ifftn(x, dim=dims, norm="forward") if conjugate else torch.fft.fftn(x, dim=dims)
    spectrum = torch.fft.rfftn(x, dim=dims)
    return spectrum.conj() if conjugate else spectrum


def _read(y: Tensor, comb: _Comb, count: Sequence[int]) -> Tensor:
    """The first `count` samples on the comb along the last axes."""
    for axis, (start, step, n) in enumerate(zip(comb.starts, comb.steps, count, strict=True), y.ndim - len(count)):
        y = y.narrow(axis, start, step * (n - 1) + 1)
        if step > 1:
            y = y[(slice(None),) * axis + (slice(None, None, step),)]
    return y


def _padded(layout: Layout) -> _Comb:
    """The input behind the padding before it."""
    return _Comb([before for before, _ in layout.sides], (1,) * layout.ndim)


def _fast(n: int) -> int:
    while True:
        rest = n
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return n
        n += 1
