"""Bytes looked up in tables, colours made paler or stronger and turned: in one passage, in place."""

from __future__ import annotations

from ctypes import c_int, c_int64, c_void_p

import torch
from torch import Tensor

from lenrek.errors import ShapeError
from lenrek.kernels.library import available, declare, kernel

_P, _L = c_void_p, c_int64
declare("recolour", _P, _L, _L, _L, _P, _P, c_int)
declare("sum_bytes", _P, _L, _L, _P, c_int)

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as JPEG has it


def recolour(x: Tensor, tables: Tensor | None = None, colours: Tensor | None = None) -> Tensor:
    """`x` itself, changed: first by a table per sample and channel, then in saturation and hue.

    Args:
        x: (batch, channels, *size) uint8, contiguous.
        tables: (batch, channels, 256) uint8: what each value becomes.
        colours: (batch, 2) float32 for three channels: the factor of saturation (0 grey, 1 as it is), and how far
            the hue is turned, in turns of the colour circle.
    Raises:
        ShapeError: x is not contiguous, or the shapes do not fit.
    Source: Smith 1978, doi:10.1145/800248.807361 (hue).
    Example:
        >>> red = torch.tensor([200, 0, 0], dtype=torch.uint8).reshape(1, 3, 1)
        >>> recolour(red, colours=torch.tensor([[1.0, 1 / 3]])).flatten()
        tensor([  0, 200,   0], dtype=torch.uint8)
    """
    batch, channels = x.shape[:2]
    if x.dtype != torch.uint8 or not x.is_contiguous():
        raise ShapeError(f"recolour: x is {x.dtype} in strides {x.stride()}, expected contiguous uint8.")
    if tables is not None and tables.shape != (batch, channels, 256):
        raise ShapeError(f"recolour: tables is {tuple(tables.shape)}, expected {(batch, channels, 256)}.")
    if colours is not None and (colours.shape != (batch, 2) or channels != 3):
        raise ShapeError(
            f"recolour: colours is {tuple(colours.shape)} for x {tuple(x.shape)}, expected {(batch, 2)} and 3 channels."
        )
    if colours is not None:
        colours = torch.stack([colours[:, 0], colours[:, 1] % 1], 1).float()
    if not available():
        return x.copy_(recolour_reference(x, tables, colours))
    tables = None if tables is None else tables.contiguous()
    kernel("recolour")(
        x.data_ptr(),
        batch,
        channels,
        x[0, 0].numel() if batch and channels else 0,
        None if tables is None else tables.data_ptr(),
        None if colours is None else colours.data_ptr(),
        torch.get_num_threads(),
    )
    return x


def recolour_reference(x: Tensor, tables: Tensor | None, colours: Tensor | None) -> Tensor:
    """`recolour` in PyTorch's operators, as a new tensor."""
    if tables is not None:
        x = tables.gather(2, x.flatten(2).long()).view(x.shape)
    if colours is None:
        return x
    return turn_colours(x.float(), colours, 255).clamp_(0, 255).add_(0.5).to(torch.uint8)


def turn_colours(x: Tensor, colours: Tensor, most: float) -> Tensor:
    """Saturation and hue of floating x (batch, 3, *size) within 0 … most; `colours` as in `recolour`."""
    saturation, hue = (column.reshape(-1, *(1 for _ in x.shape[2:])) for column in colours.unbind(1))
    grey = sum(part * x[:, c] for c, part in enumerate(LUMA))
    paler = (grey.unsqueeze(1) + saturation.unsqueeze(1) * (x - grey.unsqueeze(1))).clamp(0, most)  # type: ignore[union-attr]
    x = torch.where(saturation.unsqueeze(1) != 1, paler, x)
    r, g, b = x.unbind(1)
    value = x.amax(1)
    span = value - x.amin(1)
    # Angles are in units of the span: nothing is divided by it. Red is at 0, green at 2, blue at 4 of 6.
    angle = torch.where(value == r, g - b, torch.where(value == g, 2 * span + (b - r), 4 * span + (r - g)))
    angle += 6 * span * hue
    angle = torch.where(angle < 0, angle + 6 * span, angle)
    angle = torch.where(angle < 6 * span, angle, angle - 6 * span)
    shares = [2 * span - (angle - 3 * span).abs(), (angle - 2 * span).abs() - span, (angle - 4 * span).abs() - span]
    turned = [value - torch.minimum(share.clamp(min=0), span) for share in shares]
    return torch.where(hue.unsqueeze(1) != 0, torch.stack(turned, 1), x)


def sum_bytes(x: Tensor) -> Tensor:
    """The sum of every sample of contiguous uint8 x (batch, …), int64, exact.

    >>> sum_bytes(torch.tensor([[250, 250], [1, 2]], dtype=torch.uint8))
    tensor([500,   3])
    """
    if not available() or not x.numel() or not x.is_contiguous():
        return x.reshape(len(x), -1).sum(1)
    sums = torch.empty(len(x), dtype=torch.int64)
    kernel("sum_bytes")(x.data_ptr(), len(x), x[0].numel(), sums.data_ptr(), torch.get_num_threads())
    return sums
