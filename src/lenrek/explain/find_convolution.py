"""Is a linear layer a convolution? Its kernel if it is; if not, how far it is from one, and where."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from lenrek.errors import OptionError, ShapeError
from lenrek.explain.found_convolution import Entry, FoundConvolution
from lenrek.explain.shared_weights import SUPPORT, Offsets, consensus
from lenrek.geometry import BoundaryName
from lenrek.geometry.axes import per_axis, sizes_of
from lenrek.ops import Projection, filter_matrix, from_dense, to_dense
from lenrek.ops.mode import in_mode

WHO = "find_convolution"
MOST_ENTRIES = 2**28  # of the matrix: one gibibyte
MIRRORS: tuple[BoundaryName, ...] = ("replicate", "reflect", "symmetric")


def find_convolution(
    layer: Callable[[Tensor], Tensor] | Tensor,
    in_shape: Sequence[int],
    out_shape: Sequence[int] | None = None,
    *,
    stride: int | Sequence[int] | None = None,
    tolerance: float | None = None,
) -> FoundConvolution:
    """The convolution that a linear layer is, or is nearest to: kernel, stride, padding and boundary are found.

    A convolution's weights depend on the distance between output and input alone. So for every distance the median of
    the matrix's entries is taken as the kernel, then the boundary that fits best: zeros, circular, replicate, reflect
    or symmetric. A kernel with holes (dilation) is one with zeros, groups are blocks of zeros.

    Args:
        layer: a module or function on volumes; or a matrix, or an `nn.Linear`, on flattened volumes (row-major).
        in_shape: (channels, *size) of one input. Small ones answer as well as large ones.
        out_shape: of a matrix or an `nn.Linear`: (channels, *size) of its output; by default the input's size, with as
            many channels as there are rows for.
        stride: if None, it is looked for.
        tolerance: of `distance`, and of weights: those below this share of the largest may be left out of the kernel.
            If None, the square root of the type's rounding unit, and none. Layers that were learned need more.
    Raises:
        OptionError: a layer that is not affine, a matrix too large to write down.
        ShapeError: a matrix that does not fit the shapes.
    Source: Bronstein, Bruna, Cohen & Veličković 2021, arXiv:2104.13478, §3.1 (linear and shift-equivariant maps are
    convolutions).
    Example:
        >>> layer = nn.Sequential(nn.Conv1d(1, 1, 3, padding=1), nn.AvgPool1d(2))
        >>> print(find_convolution(layer, (1, 12)))
        a convolution: kernel 4, stride 2, padding ((1, 1),), boundary zeros
    """
    shape = sizes_of(in_shape, WHO, "in_shape")
    if len(shape) < 2:
        raise ShapeError(f"{WHO}: in_shape is {shape}, expected (channels, *size) with at least one spatial axis.")
    matrix, bias, outs = _matrix(layer, shape, out_shape)
    in_size, out_size = shape[1:], outs[1:]
    strides = [per_axis(stride, len(in_size), WHO, "stride")] if stride is not None else _strides(in_size, out_size)
    best: tuple[Projection, _Geometry] | None = None
    pairs = prod(in_size) * prod(out_size)
    for candidate in strides:
        for geometry in _geometries(matrix, outs, shape, tuple(candidate), tolerance or 0.0):
            found = from_dense(_linear(matrix, bias), in_size, **geometry.options(), tolerance=tolerance)
            if best is None or _rank(found, geometry, pairs) < _rank(*best, pairs):
                best = found, geometry
        if best is not None and best[0].distance <= best[0].tolerance:
            break
    if best is None:
        raise ShapeError(f"{WHO}: no convolution with stride {stride} has outputs {out_size} for inputs {in_size}.")
    return _described(*best, matrix, bias is not None, shape, outs)


@dataclass(frozen=True)
class _Geometry:
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    boundary: BoundaryName

    def options(self) -> dict[str, Any]:
        return {
            "kernel_size": self.kernel, "stride": self.stride, "padding": self.padding, "boundary": self.boundary
        }  # fmt: skip


def _rank(found: Projection, geometry: _Geometry, pairs: int) -> tuple[bool, float]:
    """Lower is better: what fits with the smaller kernel, or if nothing fits, what leaves least unexplained.

    A larger kernel always explains more, so the rest is divided by the entries that its taps leave free.
    """
    fits, taps = found.distance <= found.tolerance, prod(geometry.kernel)
    return not fits, taps if fits else found.distance**2 / max(pairs - taps, 0.5)


def _geometries(
    matrix: Tensor, outs: Sequence[int], ins: Sequence[int], stride: tuple[int, ...], tolerance: float
) -> Iterator[_Geometry]:
    """The kernels and boundaries that the matrix may have, with and without what the tolerance leaves out."""
    in_size, out_size = ins[1:], outs[1:]
    for circular, least in product((False, True), sorted({SUPPORT, max(SUPPORT, tolerance)})):
        offsets = [Offsets(n, m, s, circular) for n, m, s in zip(in_size, out_size, stride, strict=True)]
        support = consensus(matrix.reshape(outs[0], prod(out_size), ins[0], prod(in_size)), offsets, least)
        sides = [one.window(support, axis) for axis, one in enumerate(offsets)]
        kernel, padding = tuple(k for k, _ in sides), tuple(pad for _, pad in sides)
        if circular:
            yield _Geometry(kernel, stride, padding, "circular")
            continue
        yield _Geometry(kernel, stride, padding, "zeros")
        if all(max(pad) < n for pad, n in zip(padding, in_size, strict=True)) and any(map(any, padding)):
            yield from (_Geometry(kernel, stride, padding, mirror) for mirror in MIRRORS)


def _strides(in_size: Sequence[int], out_size: Sequence[int]) -> list[tuple[int, ...]]:
    """What the sizes allow, small strides first."""
    ranges = [
        range(1, max(2, (n - 1) // (m - 1) + 1)) if m > 1 else (1,) for n, m in zip(in_size, out_size, strict=True)
    ]
    return sorted(product(*ranges), key=prod)


def _matrix(
    layer: Callable[[Tensor], Tensor] | Tensor, shape: tuple[int, ...], out_shape: Sequence[int] | None
) -> tuple[Tensor, Tensor | None, tuple[int, ...]]:
    """The matrix, the bias, and the shape of the output."""
    if isinstance(layer, nn.Linear | Tensor):
        matrix = (layer.weight if isinstance(layer, nn.Linear) else layer).detach()
        matrix = matrix.to_dense() if matrix.layout != torch.strided else matrix
        bias = layer.bias.detach() if isinstance(layer, nn.Linear) and layer.bias is not None else None
        rows = matrix.shape[0] if matrix.ndim == 2 else 0
        outs = (max(1, rows // prod(shape[1:])), *shape[1:]) if out_shape is None else tuple(out_shape)
        if matrix.ndim != 2 or matrix.shape != (prod(outs), prod(shape)):
            raise ShapeError(
                f"{WHO}: the matrix is {tuple(matrix.shape)}, but from {shape} to {outs} it has "
                f"{' · '.join(map(str, outs))} = {prod(outs)} rows and {' · '.join(map(str, shape))} = {prod(shape)} "
                "columns.\n  Hint: pass out_shape=(channels, *size)."
            )
        return matrix, bias, outs
    if out_shape is not None:
        raise OptionError(
            f"{WHO}: out_shape has no effect on a layer that has an output itself.\n  Hint: leave it out."
        )
    held = next(layer.parameters(), torch.empty(0)) if isinstance(layer, nn.Module) else torch.empty(0)
    with in_mode(layer, training=False), torch.no_grad():
        outs = tuple(layer(torch.zeros(1, *shape, dtype=held.dtype, device=held.device)).shape[1:])
    if len(outs) != len(shape):
        raise ShapeError(f"{WHO}: the layer's output is {outs}, expected (channels, *size) with the input's axes.")
    if prod(outs) * prod(shape) > MOST_ENTRIES:
        raise OptionError(
            f"{WHO}: from {shape} to {outs} the matrix has {prod(outs) * prod(shape):,} entries, more than "
            f"{MOST_ENTRIES:,}.\n  Hint: a smaller in_shape says the same."
        )
    dense = to_dense(layer, shape)
    return dense.weight.detach(), dense.bias.detach(), outs


def _linear(matrix: Tensor, bias: Tensor | None) -> nn.Linear:
    linear = nn.utils.skip_init(
        nn.Linear, matrix.shape[1], matrix.shape[0], bias is not None, device=matrix.device, dtype=matrix.dtype
    )
    linear.weight = nn.Parameter(matrix, requires_grad=False)
    if bias is not None:
        linear.bias = nn.Parameter(bias, requires_grad=False)
    return linear


def _described(
    found: Projection, geometry: _Geometry, matrix: Tensor, biased: bool, ins: tuple[int, ...], outs: tuple[int, ...]
) -> FoundConvolution:
    options = {key: value for key, value in geometry.options().items() if key != "kernel_size"}
    nearest = filter_matrix(found.weight, ins[1:], **options).to_dense()
    difference, norm = matrix - nearest, torch.linalg.vector_norm(matrix).clamp(min=torch.finfo(matrix.dtype).tiny)
    row, column = divmod(int(difference.abs().argmax()), matrix.shape[1])
    return FoundConvolution(
        weight=found.weight,
        bias=found.bias if biased else None,
        stride=geometry.stride,
        padding=geometry.padding,
        boundary=geometry.boundary if any(map(any, geometry.padding)) else None,
        distance=found.distance,
        bias_distance=found.bias_distance,
        tolerance=found.tolerance,
        deviation=(torch.linalg.vector_norm(difference, dim=1) / norm).reshape(outs),
        worst=Entry(_place(row, outs), _place(column, ins), matrix[row, column].item(), nearest[row, column].item()),
    )


def _place(number: int, shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(i) for i in torch.unravel_index(torch.tensor(number), tuple(shape)))
