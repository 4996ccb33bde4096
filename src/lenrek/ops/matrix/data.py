"""The matrix of the data (im2col): every window as one column, so that a convolution is one matrix product."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Any

import torch
from torch import Tensor

from lenrek.errors import OptionError, ShapeError
from lenrek.geometry import AxisWindow, Boundary, Padding, check_boundary, check_reach, resolve_padding, windows
from lenrek.geometry.axes import axes, sizes_of
from lenrek.ops.boundary import extend, extend_adjoint
from lenrek.ops.windows import windows_of


def data_matrix(
    x: Tensor,
    kernel_size: Sequence[int],
    *,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    boundary: Boundary = "zeros",
) -> Tensor:
    """The windows of `x` as the columns of a matrix, so that weight.flatten(1) @ data_matrix(x) is a correlation.

    The rows and columns are those of `torch.nn.functional.unfold`, in any number of axes and of any type. For one
    channel in 1-D with stride 1 it is a Hankel matrix (constant antidiagonals), its rows from below a Toeplitz one.

    Args:
        x: (batch, channels, *size) or (channels, *size), any type.
        kernel_size: samples per axis; its length says how many axes there are.
        stride, padding, dilation, boundary: those of the correlation.
    Returns:
        (batch, channels·∏kernel_size, ∏out_size), without the batch if `x` has none. Rows count channels, then the
        kernel's axes; columns the output's axes; the last one fastest.
    Raises:
        ShapeError: axes that disagree, a window that does not fit, a mirror wider than the axis.
        OptionError: a value out of range, an unknown boundary.
    Source: Chellapilla, Puri & Simard 2006, "High performance convolutional neural networks for document processing".
    Example:
        >>> data_matrix(torch.arange(5).reshape(1, 5), (3,))
        tensor([[0, 1, 2],
                [1, 2, 3],
                [2, 3, 4]])
    """
    kernel = sizes_of(kernel_size, "data_matrix", "kernel_size")
    ndim = len(kernel)
    if x.ndim not in (ndim + 1, ndim + 2):
        raise ShapeError(
            f"data_matrix: x is {tuple(x.shape)}, expected (batch, channels, *size) or (channels, *size) with "
            f"{axes(ndim)} for kernel_size {kernel}."
        )
    windows(x.shape[-ndim:], kernel, stride=stride, padding=padding, dilation=dilation, who="data_matrix")
    sides = resolve_padding(padding, kernel, dilation, who="data_matrix")
    view = windows_of(extend(x, sides, boundary, "data_matrix"), kernel, stride, dilation)
    first = x.ndim - ndim
    view = view.movedim(tuple(range(-ndim, 0)), tuple(range(first, first + ndim)))  # the kernel before the output
    return view.reshape(*x.shape[: first - 1], x.shape[first - 1] * prod(kernel), prod(view.shape[-ndim:]))


def data_matrix_adjoint(
    columns: Tensor,
    in_size: Sequence[int],
    kernel_size: Sequence[int],
    *,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    boundary: Boundary = "zeros",
) -> Tensor:
    """The adjoint of `data_matrix` (col2im): every entry added to the sample it was read from.

    ⟨data_matrix(x), columns⟩ = ⟨x, data_matrix_adjoint(columns)⟩ for every x, at every boundary; of a constant one the
    linear part counts. With zeros it is `torch.nn.functional.fold`, in any number of axes.

    Args:
        columns: (batch, channels·∏kernel_size, ∏out_size), or without the batch; any type but bool.
        in_size: samples per axis of the x that `data_matrix` would have read.
        kernel_size, stride, padding, dilation, boundary: those of `data_matrix`.
    Returns:
        (batch, channels, *in_size), without the batch if `columns` has none; integers as int64.
    Raises:
        ShapeError: rows or columns that disagree with the sizes, a window that does not fit.
        OptionError: a value out of range, an unknown boundary, columns of type bool.
    Example: how many windows of 3 read each of 5 samples.
        >>> data_matrix_adjoint(torch.ones(3, 3), (5,), (3,))
        tensor([[1., 2., 3., 2., 1.]])
    """
    who = "data_matrix_adjoint"
    sizes = sizes_of(in_size, who, "in_size")
    kernel = sizes_of(kernel_size, who, "kernel_size")
    found = windows(sizes, kernel, stride=stride, padding=padding, dilation=dilation, who=who)
    check_boundary(boundary, who)
    out = [window.out_size for window in found]
    if columns.ndim not in (2, 3) or columns.shape[-2] % prod(kernel) or columns.shape[-1] != prod(out):
        raise ShapeError(
            f"{who}: columns is {tuple(columns.shape)}, expected (batch, rows, columns) or (rows, columns) with a "
            f"multiple of {_product(kernel)} rows and {_product(out)} columns."
        )
    if columns.dtype == torch.bool:
        raise OptionError(
            f"{who}: columns is torch.bool, expected a floating, complex or integer type.\n"
            "  Hint: pass columns.to(torch.uint8)."
        )
    if not (columns.is_floating_point() or columns.is_complex()):
        columns = columns.to(torch.int64)
    for axis, window in enumerate(found):
        check_reach(window.in_size, window.before, window.after, boundary, axis, who)
    leading = (*columns.shape[:-2], columns.shape[-2] // prod(kernel))
    entries = columns.reshape(*leading, prod(kernel), *out).unbind(len(leading))
    total = columns.new_zeros(*leading, *(window.before + window.in_size + window.after for window in found))
    for tap, entry in zip(product(*map(range, kernel)), entries, strict=True):
        # One strided addition for each tap: several times faster than a scatter, or than PyTorch's fold.
        read: tuple[Any, ...] = (..., *(_reads(j, window) for j, window in zip(tap, found, strict=True)))
        total[read] += entry
    return extend_adjoint(total, [(window.before, window.after) for window in found], boundary, who)


def _reads(j: int, window: AxisWindow) -> slice:
    """The padded samples that tap `j` of all windows reads."""
    first = window.dilation * j
    return slice(first, first + window.stride * (window.out_size - 1) + 1, window.stride)


def _product(factors: Sequence[int]) -> str:
    """A product with its factors: "2 · 3 = 6", and alone "6"."""
    return str(factors[0]) if len(factors) == 1 else f"{' · '.join(map(str, factors))} = {prod(factors)}"
