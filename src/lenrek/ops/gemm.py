"""Correlation as matrix products: windows copied side by side times kernels as rows, or a sparse matrix times x."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lenrek.ops.layout import Layout
from lenrek.ops.matrix import data_matrix, data_matrix_adjoint, filter_matrix


def correlate_gemm(x: Tensor, weight: Tensor, layout: Layout) -> Tensor:
    """As `correlate_direct`, for every type that PyTorch can multiply, the integers included."""
    y = _rows(weight, layout) @ _columns(x, weight.shape[2:], layout)  # (batch, groups, out_channels/groups, ∏out_size)
    return y.flatten(1, 2).unflatten(2, layout.out_size(x.shape[2:], weight.shape[2:]))


def transposed_gemm(y: Tensor, weight: Tensor, layout: Layout, in_size: Sequence[int]) -> Tensor:
    """As `transposed_direct`: every window's part of x as a column, and the columns added where they were read."""
    columns = _rows(weight, layout).transpose(1, 2) @ y.flatten(2).unflatten(1, (layout.groups, -1))
    return data_matrix_adjoint(
        columns.flatten(1, 2),
        in_size,
        weight.shape[2:],
        stride=layout.stride,
        padding=layout.sides,
        dilation=layout.dilation,
    )


def weight_gradient_gemm(x: Tensor, y: Tensor, layout: Layout, kernel: Sequence[int]) -> Tensor:
    """As `weight_gradient_direct`: y times the transposed windows, summed over the batch."""
    columns = _columns(x, kernel, layout).transpose(2, 3)
    products = y.flatten(2).unflatten(1, (layout.groups, -1)) @ columns
    return products.sum(0).flatten(0, 1).unflatten(1, (-1, *kernel))


def correlate_matrix(x: Tensor, weight: Tensor, layout: Layout) -> Tensor:
    """As `correlate_direct`, through the `filter_matrix`: for small problems, and to see that it is one."""
    y = _apply(_matrix(weight, x.shape[2:], layout), x)
    return y.unflatten(1, (weight.shape[0], *layout.out_size(x.shape[2:], weight.shape[2:])))


def transposed_matrix(y: Tensor, weight: Tensor, layout: Layout, in_size: Sequence[int]) -> Tensor:
    """As `transposed_direct`, through the transpose of the `filter_matrix`."""
    x = _apply(_matrix(weight, in_size, layout).t(), y)
    return x.unflatten(1, (weight.shape[1] * layout.groups, *in_size))


def _rows(weight: Tensor, layout: Layout) -> Tensor:
    """(groups, out_channels/groups, in_channels/groups · ∏kernel_size)."""
    return weight.unflatten(0, (layout.groups, -1)).flatten(2)


def _columns(x: Tensor, kernel: Sequence[int], layout: Layout) -> Tensor:
    """(batch, groups, in_channels/groups · ∏kernel_size, ∏out_size)."""
    columns = data_matrix(x, kernel, stride=layout.stride, padding=layout.sides, dilation=layout.dilation)
    return columns.unflatten(1, (layout.groups, -1))


def _matrix(weight: Tensor, in_size: Sequence[int], layout: Layout) -> Tensor:
    return filter_matrix(
        weight,
        in_size,
        stride=layout.stride,
        padding=layout.sides,
        dilation=layout.dilation,
        groups=layout.groups,
    )


def _apply(matrix: Tensor, x: Tensor) -> Tensor:
    return torch.sparse.mm(matrix, x.flatten(1).t()).t().contiguous()
