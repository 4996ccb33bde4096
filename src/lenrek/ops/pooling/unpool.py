"""Maxima put back to where they came from."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from lenrek.errors import OptionError, ShapeError
from lenrek.geometry import per_axis
from lenrek.ops.pooling.arguments import pooled_ndim
from lenrek.ops.tensors import in_format_of


def max_unpool(x: Tensor, indices: Tensor, output_size: int | tuple[int, ...]) -> Tensor:
    """The partial inverse of `max_pool`: each maximum at its position, zeros elsewhere.

    Args:
        x: (batch, channels, *in_size), any type; or (channels, *in_size) if `output_size` is a sequence.
        indices: int64 of the same shape, row-major positions in *output_size, as `max_pool` returns them. Where one
            occurs more than once, as with overlapping windows, the values there are expected to be equal.
        output_size: samples per axis of the result: the size of what was pooled.
    Returns:
        (batch, channels, *output_size).
    Raises:
        ShapeError: shapes that differ.
        OptionError: indices that are not int64.
    Source: Zeiler & Fergus 2014, arXiv:1311.2901, §2.1.
    Example:
        >>> max_unpool(torch.tensor([[3, 5]]), torch.tensor([[0, 3]]), (5,))
        tensor([[3, 0, 0, 5, 0]])
    """
    ndim = pooled_ndim(x, output_size, "max_unpool", "output_size")
    size = per_axis(output_size, ndim, "max_unpool", "output_size")
    if indices.shape != x.shape:
        raise ShapeError(
            f"max_unpool: indices {tuple(indices.shape)}, expected the shape of x, {tuple(x.shape)}: one for each."
        )
    if indices.dtype != torch.int64:
        raise OptionError(f"max_unpool: indices is {indices.dtype}, expected torch.int64, as max_pool returns them.")
    leading = x.shape[:-ndim]
    flat = x.new_zeros(leading).unsqueeze(-1).expand(*leading, prod(size))
    y = flat.scatter(-1, indices.flatten(-ndim), x.flatten(-ndim))
    return in_format_of(x, y.reshape(*leading, *size))
