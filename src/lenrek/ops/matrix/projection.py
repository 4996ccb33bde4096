"""The convolution nearest to a matrix, and how far from it: only convolutions are linear and shift-equivariant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from lenrek.errors import OptionError, ShapeError
from lenrek.geometry import AxisWindow, Boundary, Padding, windows
from lenrek.geometry.axes import per_axis, sizes_of
from lenrek.ops.matrix.filter import Operation, check_operation, filter_matrix
from lenrek.ops.matrix.links import Links, links
from lenrek.ops.matrix.order import Order, check_order


@dataclass(frozen=True, eq=False)
class Projection:
    """A matrix seen as a convolution.

    Attributes:
        weight: (out_channels, in_channels/groups, *kernel_size) of the nearest convolution; zero at taps that read
            only the padding.
        bias: (out_channels,), or None if there was none.
        distance: ‖M − P‖/‖M‖ in Frobenius norm, for the matrix M given and that of the convolution P: between 0
            (M is this convolution) and 1 (nothing in M is one).
        bias_distance: the same for the bias, that of a convolution being constant in each channel; 0 without one.
        tolerance: how far a convolution may be from itself by rounding.
    """

    weight: Tensor
    bias: Tensor | None
    distance: float
    bias_distance: float
    tolerance: float

    @property
    def is_convolution(self) -> bool:
        """Whether the matrix, and its bias, are those of a convolution with this geometry."""
        return max(self.distance, self.bias_distance) <= self.tolerance


@torch.no_grad()
def from_dense(
    matrix: Tensor | nn.Linear,
    in_size: Sequence[int],
    kernel_size: int | Sequence[int],
    *,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    boundary: Boundary = "zeros",
    operation: Operation = "correlate",
    order: Order = "row_major",
    tolerance: float | None = None,
) -> Projection:
    """The orthogonal projection of a matrix onto the matrices of all convolutions with one geometry.

    It minimises ‖M − filter_matrix(weight)‖. Where no boundary repeats a sample, each weight is the mean of M over the
    entries that share it; else the normal equations of the taps are solved (the smallest solution, where several taps
    always read the same sample). With circular boundaries and a kernel as large as the input it answers whether a
    matrix commutes with all shifts. For a transposed layer, project M.T with the forward layer's geometry.

    Args:
        matrix: (out_channels·∏out_size, in_channels·∏in_size), dense or sparse, floating or complex; or `nn.Linear`.
        in_size: samples per axis of the input, without channels.
        kernel_size, stride, padding, dilation, groups, boundary, operation, order: as for `filter_matrix`.
        tolerance: for `is_convolution`; if None, the square root of the type's rounding unit.
    Raises:
        ShapeError: a matrix that is not a whole number of channels by as many samples as the geometry has.
        OptionError: an option out of range, a boundary that is not linear, a matrix of integers.
    Source: Golub & Van Loan, Matrix Computations, 4th ed. 2013, §5.3 (normal equations), §5.5 (smallest solution).
    Example: a matrix commutes with the shift exactly if it is circulant.
        >>> M = torch.tensor([[1., 3., 2.], [2., 1., 3.], [3., 2., 1.]])
        >>> circle = dict(kernel_size=3, padding="same", boundary="circular", operation="convolve")
        >>> from_dense(M, (3,), **circle).is_convolution
        True
        >>> found = from_dense(M + torch.diag(torch.tensor([1., 0., -1.])), (3,), **circle)
        >>> found.weight, round(found.distance, 4)
        (tensor([[[3., 1., 2.]]]), 0.2132)
    """
    who = "from_dense"
    check_order(order, who)
    check_operation(operation, who)
    sizes = sizes_of(in_size, who, "in_size")
    kernel = per_axis(kernel_size, len(sizes), who, "kernel_size")
    found = windows(sizes, kernel, stride=stride, padding=padding, dilation=dilation, who=who)
    given, offset = (matrix.weight, matrix.bias) if isinstance(matrix, nn.Linear) else (matrix, None)
    dense = given.to_dense() if given.layout != torch.strided else given
    outs, ins = _channels(dense, found, groups, who)
    if not (dense.is_floating_point() or dense.is_complex()):
        raise OptionError(f"{who}: matrix is of type {dense.dtype}, expected a floating or complex type.")
    pattern = Links(*(part.to(dense.device) for part in links(found, boundary, order, who)))
    taps = _nearest_taps(dense, pattern, groups, outs, ins, prod(kernel))
    weight = taps.reshape(outs, ins // groups, *kernel).to(dense.dtype)
    if operation == "convolve":
        weight = weight.flip(*range(2, weight.ndim))
    nearest = filter_matrix(
        weight,
        sizes,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        boundary=boundary,
        operation=operation,
        order=order,
    )
    bias, bias_distance = None, 0.0
    if offset is not None:
        channels = offset.reshape(outs, -1)
        bias = channels.mean(1)
        bias_distance = _distance(channels, bias[:, None].expand_as(channels))
    return Projection(
        weight=weight,
        bias=bias,
        distance=_distance(dense, nearest.to_dense()),
        bias_distance=bias_distance,
        tolerance=torch.finfo(dense.dtype).eps ** 0.5 if tolerance is None else tolerance,
    )


def _channels(matrix: Tensor, found: Sequence[AxisWindow], groups: int, who: str) -> tuple[int, int]:
    """The channels of output and input that a matrix of this shape has."""
    if matrix.ndim != 2:
        raise ShapeError(f"{who}: matrix is {tuple(matrix.shape)}, expected (rows, columns).")
    (groups,) = per_axis(groups, 1, who, "groups")
    counts = []
    for what, length, sizes in (
        ("rows", matrix.shape[0], [window.out_size for window in found]),
        ("columns", matrix.shape[1], [window.in_size for window in found]),
    ):
        sites = prod(sizes)
        if length == 0 or length % (sites * groups):
            each = f"groups · ∏{'out' if what == 'rows' else 'in'}_size = {groups} · {' · '.join(map(str, sizes))}"
            raise ShapeError(
                f"{who}: matrix is {tuple(matrix.shape)}, expected a multiple of {each} = {sites * groups} {what}."
            )
        counts.append(length // sites)
    return counts[0], counts[1]


def _nearest_taps(matrix: Tensor, pattern: Links, groups: int, outs: int, ins: int, taps: int) -> Tensor:
    """(out_channels, in_channels/groups, taps): least squares in double precision, for all pairs of channels at once.

    The matrix of a filter is Σ_k weight[k]·S_k with S_k = 1 at the links of tap k, so the normal equations are
    Σ_l ⟨S_k, S_l⟩ weight[l] = ⟨S_k, M⟩, the same left-hand side for every pair of channels.
    """
    precise = torch.complex128 if matrix.is_complex() else torch.float64
    blocks = matrix.reshape(groups, outs // groups, -1, groups, ins // groups, matrix.shape[1] // ins)
    blocks = blocks.diagonal(dim1=0, dim2=3)  # outs, out_sites, ins, in_sites, groups
    entries = blocks[:, pattern.outputs, :, pattern.inputs].to(precise)  # links, outs, ins, groups
    sums = entries.new_zeros(taps, *entries.shape[1:]).index_add(0, pattern.taps, entries)
    counts = _gram(pattern, taps)
    if counts.equal(counts.diagonal().diag()):
        solved = sums / counts.diagonal().clamp(min=1)[:, None, None, None]
    else:
        inverse = torch.linalg.pinv(counts, hermitian=True)
        solved = torch.einsum("kl,l...->k...", inverse.to(precise), sums)
    return solved.permute(3, 1, 2, 0).reshape(outs, ins // groups, taps)


def _gram(pattern: Links, taps: int) -> Tensor:
    """⟨S_k, S_l⟩ for all pairs of taps: the number of places in the matrix that both are a part of."""
    places = pattern.outputs * (pattern.inputs.max() + 1 if pattern.inputs.numel() else 1) + pattern.inputs
    places, sorting = places.sort()
    tap = pattern.taps[sorting]
    counts = torch.bincount(tap, minlength=taps).double().diag()
    for apart in range(1, len(tap)):  # links of the same place are neighbours now
        shared = places[apart:] == places[:-apart]
        if not shared.any():
            break
        one, other = tap[apart:][shared], tap[:-apart][shared]
        pairs = (torch.cat([one, other]), torch.cat([other, one]))
        counts.index_put_(pairs, counts.new_ones(()), accumulate=True)
    return counts


def _distance(given: Tensor, nearest: Tensor) -> float:
    """‖given − nearest‖/‖given‖, and 0 for zeros."""
    norm = torch.linalg.vector_norm(given)
    return (torch.linalg.vector_norm(given - nearest) / norm).item() if norm > 0 else 0.0
