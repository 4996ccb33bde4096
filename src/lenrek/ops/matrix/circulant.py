"""Circulant matrices: the convolutions on a circle. They commute, and the discrete Fourier transform is their basis."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from lenrek.geometry.axes import is_integer, per_axis, sizes_of


def circulant(column: Tensor) -> Tensor:
    """The matrix of circular convolution with `column`: C[p, q] = column[(p − q) mod size], axis by axis.

    Every column is the one before, moved on by one; for more axes it is block-circulant with circulant blocks, its
    rows and columns numbered row-major. Circulant matrices commute, the shift is one of them, and their eigenvalues
    are the discrete Fourier transform of their first column.

    Args:
        column: (*size), any type: the first column, arranged as the signal is.
    Returns:
        (∏size, ∏size), dense, of the same type and device.
    Raises:
        ShapeError: no axis, or an axis without samples.
    Source: Gray 2006, "Toeplitz and Circulant Matrices: A Review", doi:10.1561/0100000006, §3.
    Example:
        >>> circulant(torch.tensor([1, 2, 3]))
        tensor([[1, 3, 2],
                [2, 1, 3],
                [3, 2, 1]])
    """
    size = sizes_of(column.shape, "circulant", "the shape of column")
    number = torch.zeros((), dtype=torch.int64, device=column.device)
    for axis, n in enumerate(size):
        places = torch.arange(n, device=column.device)
        shape = [1] * (2 * len(size))
        shape[axis], shape[len(size) + axis] = n, n
        number = number * n + ((places[:, None] - places) % n).reshape(shape)
    return column.flatten()[number.reshape(prod(size), prod(size))]


def shift_matrix(
    size: int | Sequence[int], shift: int | Sequence[int] = 1, *, dtype: torch.dtype | None = None
) -> Tensor:
    """The circular shift T as a matrix: (T @ x.flatten())[p] = x[(p − shift) mod size], what `torch.roll` computes.

    Args:
        size: samples of a signal, or one number per axis.
        shift: samples to move by, of either sign; an int for every axis, or one per axis.
        dtype: of the ones; PyTorch's default if None.
    Returns:
        (∏size, ∏size), sparse (COO), a single one in every row.
    Raises:
        ShapeError: not one shift per axis, or no samples.
        OptionError: not integers.
    Example:
        >>> shift_matrix(4) @ torch.tensor([[1.], [2.], [3.], [4.]])
        tensor([[4.],
                [1.],
                [2.],
                [3.]])
    """
    sizes = sizes_of((size,) if is_integer(size) else size, "shift_matrix", "size")  # type: ignore[arg-type]
    shifts = per_axis(shift, len(sizes), "shift_matrix", "shift", minimum=-sys.maxsize)
    count = prod(sizes)
    rows = torch.arange(count)
    columns = torch.roll(rows.reshape(sizes), shifts, tuple(range(len(sizes)))).flatten()
    ones = torch.ones(count, dtype=dtype)
    indices = torch.stack([rows, columns])
    return torch.sparse_coo_tensor(indices, ones, (count, count), is_coalesced=True, check_invariants=False)
