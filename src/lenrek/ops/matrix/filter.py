"""The sparse matrix of a filter: Toeplitz for signals, doubly blocked for images, and so on."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Literal, get_args

import torch
from torch import Tensor

from lenrek.errors import OptionError, ShapeError
from lenrek.geometry import Boundary, Padding, transposed_windows, windows
from lenrek.geometry.axes import axes, per_axis, sizes_of
from lenrek.ops.matrix.links import Links, links
from lenrek.ops.matrix.order import Order, check_order

Operation = Literal["correlate", "convolve"]


def filter_matrix(
    weight: Tensor,
    in_size: Sequence[int],
    *,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    boundary: Boundary = "zeros",
    operation: Operation = "correlate",
    order: Order = "row_major",
    layout: torch.layout = torch.sparse_coo,
) -> Tensor:
    """The matrix A with A @ flatten(x) = flatten(correlate(x, weight)), or that of a convolution.

    In 1-D it is banded with constant diagonals (Toeplitz, where the stride is 1), in 2-D such blocks form the same
    pattern again (doubly blocked), and so on. Its values are a gather of `weight`, and differentiable; where the
    boundary repeats a sample, they are sums.

    Args:
        weight: (out_channels, in_channels/groups, *kernel_size). Integers give a matrix of int64.
        in_size: samples per axis of the input, without batch and channels.
        stride, padding, dilation, groups: those of the correlation.
        boundary: what lies outside the input; a number other than 0 is affine, and refused.
        operation: "correlate", or "convolve" for the kernel flipped on every axis.
        order: how input and output are flattened, see `flatten_volume`.
        layout: `torch.sparse_coo` can do everything. `torch.sparse_csr` multiplies about ten times faster, but PyTorch
            has neither its second derivatives nor gradients of complex values, and multiplies neither integers nor
            half precision with it.
    Returns:
        (out_channels·∏out_size, in_channels·∏in_size), sparse and coalesced, on the device of `weight`.
    Raises:
        ShapeError: sizes, groups or channels that disagree, a window that does not fit.
        OptionError: an unknown option, a boundary that is not linear, weights of type bool.
    Source: Golub & Van Loan, Matrix Computations, 4th ed. 2013, §4.7 (Toeplitz), §4.8 (circulant and block forms).
    Example: a filter of 3 samples on a signal of 5.
        >>> filter_matrix(torch.tensor([[[1, 2, 3]]]), (5,), padding="same", operation="convolve").to_dense()
        tensor([[2, 1, 0, 0, 0],
                [3, 2, 1, 0, 0],
                [0, 3, 2, 1, 0],
                [0, 0, 3, 2, 1],
                [0, 0, 0, 3, 2]])
    """
    who = "filter_matrix"
    sizes = _check(weight, in_size, groups, operation, order, layout, who)
    found = windows(sizes, weight.shape[2:], stride=stride, padding=padding, dilation=dilation, who=who)
    pattern = links(found, boundary, order, who)
    blocks = _blocks(weight, groups, operation)
    return _assemble(blocks, pattern, prod(w.out_size for w in found), prod(sizes), layout, who)


def filter_matrix_transposed(
    weight: Tensor,
    in_size: Sequence[int],
    *,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
    output_size: Sequence[int] | None = None,
    boundary: Boundary = "zeros",
    operation: Operation = "correlate",
    order: Order = "row_major",
    layout: torch.layout = torch.sparse_coo,
) -> Tensor:
    """The matrix of a transposed correlation or convolution: the transpose of the forward layer's matrix.

    Args:
        weight: (in_channels, out_channels/groups, *kernel_size): the same tensor as the forward layer's.
        in_size: samples per axis of this layer's input: the forward layer's output.
        output_padding, output_size: the size of the output where the stride leaves a choice; at most one of them.
        stride, padding, dilation, groups, boundary, operation: those of the forward layer.
        order, layout: as for `filter_matrix`.
    Returns:
        (out_channels·∏out_size, in_channels·∏in_size), sparse and coalesced, on the device of `weight`.
    Raises:
        ShapeError, OptionError: as for `filter_matrix`.
    Source: Dumoulin & Visin 2016, arXiv:1603.07285, §4.1.
    Example:
        >>> filter_matrix_transposed(torch.tensor([[[1, 2, 3]]]), (2,), stride=2).to_dense()
        tensor([[1, 0],
                [2, 0],
                [3, 1],
                [0, 2],
                [0, 3]])
    """
    who = "filter_matrix_transposed"
    sizes = _check(weight, in_size, groups, operation, order, layout, who)
    found = transposed_windows(
        sizes,
        weight.shape[2:],
        stride=stride,
        padding=padding,
        dilation=dilation,
        output_padding=output_padding,
        output_size=output_size,
        who=who,
    )
    forward = links([window.forward for window in found], boundary, order, who)
    pattern = Links(outputs=forward.inputs, inputs=forward.outputs, taps=forward.taps)
    blocks = _blocks(weight, groups, operation).transpose(1, 2)
    return _assemble(blocks, pattern, prod(w.out_size for w in found), prod(sizes), layout, who)


def check_operation(operation: object, who: str) -> None:
    """Raise `OptionError` for an unknown operation."""
    if operation not in get_args(Operation):
        raise OptionError(f"{who}: operation is {operation!r}, expected one of {', '.join(get_args(Operation))}.")


def _check(
    weight: Tensor, in_size: Sequence[int], groups: int, operation: object, order: object, layout: object, who: str
) -> tuple[int, ...]:
    """The checked `in_size`."""
    if weight.ndim < 3:
        raise ShapeError(f"{who}: weight is {tuple(weight.shape)}, expected (channels, channels/groups, *kernel_size).")
    if weight.dtype == torch.bool:
        raise OptionError(
            f"{who}: weight is torch.bool, expected a floating, complex or integer type.\n"
            "  Hint: pass weight.to(torch.uint8)."
        )
    sizes = sizes_of(in_size, who, "in_size")
    if len(sizes) != weight.ndim - 2:
        raise ShapeError(
            f"{who}: in_size {sizes} is for {axes(len(sizes))}, "
            f"but weight {tuple(weight.shape)} has {weight.ndim} − 2 = {weight.ndim - 2}."
        )
    (groups,) = per_axis(groups, 1, who, "groups")
    if weight.shape[0] % groups or not weight.shape[0]:
        raise ShapeError(
            f"{who}: weight {tuple(weight.shape)} has {weight.shape[0]} channels first, "
            f"expected a multiple of groups={groups}."
        )
    check_order(order, who)
    check_operation(operation, who)
    if layout not in (torch.sparse_coo, torch.sparse_csr):
        raise OptionError(f"{who}: layout is {layout!r}, expected torch.sparse_coo or torch.sparse_csr.")
    return sizes


def _blocks(weight: Tensor, groups: int, operation: Operation) -> Tensor:
    """(groups, out_channels/groups, in_channels/groups, taps), with the taps in the order in which they are read."""
    if not (weight.is_floating_point() or weight.is_complex()):
        weight = weight.to(torch.int64)  # as sums of integers are everywhere
    if operation == "convolve":
        weight = weight.flip(*range(2, weight.ndim))
    return weight.reshape(groups, weight.shape[0] // groups, weight.shape[1], prod(weight.shape[2:]))


def _assemble(blocks: Tensor, pattern: Links, out_sites: int, in_sites: int, layout: torch.layout, who: str) -> Tensor:
    """The matrix whose blocks, one for each pair of channels of a group, all have the same pattern."""
    groups, outs, ins, taps = blocks.shape
    rows, columns, weights, merged = _one_group(pattern, ins, in_sites, taps)
    # Every output channel has the same rows; only its weights and, between groups, its columns differ.
    device = blocks.device
    values = blocks.reshape(groups * outs, ins * taps)[:, weights.to(device)]
    if merged is not None:
        values = values.new_zeros(groups * outs, rows.numel()).index_add(1, merged.to(device), values)
    channels = torch.arange(groups * outs, device=device)[:, None]
    columns = (channels // outs * (ins * in_sites) + columns.to(device)).flatten()
    shape = (groups * outs * out_sites, groups * ins * in_sites)
    if layout == torch.sparse_coo:
        indices = torch.stack([(channels * out_sites + rows.to(device)).flatten(), columns])
        return torch.sparse_coo_tensor(indices, values.flatten(), shape, is_coalesced=True, check_invariants=False)
    if values.is_complex() and values.requires_grad:
        raise OptionError(
            f"{who}: layout is torch.sparse_csr and weight a complex tensor that requires grad, "
            "for which PyTorch has no gradient.\n  Hint: pass layout=torch.sparse_coo."
        )
    counts = torch.bincount(rows, minlength=out_sites).to(device).repeat(groups * outs)
    starts = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    return torch.sparse_csr_tensor(starts, columns, values.flatten(), shape, check_invariants=False)


def _one_group(pattern: Links, ins: int, in_sites: int, taps: int) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """One output channel's entries sorted by row and column: rows, columns, the weight each is, what to sum.

    The last is None where every entry is one weight; else, for every weight taken, the entry it is a part of.
    """
    channel = torch.arange(ins)[:, None]
    rows = pattern.outputs.expand(ins, -1).flatten()
    columns = (channel * in_sites + pattern.inputs).flatten()
    weights = (channel * taps + pattern.taps).flatten()
    # Stable: sums are taken in the order of the taps, so that a matrix and its transpose agree to the last bit.
    key, sorting = (rows * (ins * in_sites) + columns).sort(stable=True)
    entries, part_of = torch.unique_consecutive(key, return_inverse=True)
    merged = part_of if entries.numel() < key.numel() else None
    return entries // (ins * in_sites), entries % (ins * in_sites), weights[sorting], merged
