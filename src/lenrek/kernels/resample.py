"""Samples of a batch, each read along a map of its own: one pass over memory, whatever the map is composed of."""

from __future__ import annotations

from ctypes import c_float, c_int, c_int64, c_void_p
from itertools import product
from typing import Literal, get_args

import torch
from torch import Tensor

from lenrek.errors import OptionError, ShapeError
from lenrek.geometry import Boundary, check_boundary
from lenrek.kernels.library import available, declare, kernel

Interpolation = Literal["nearest", "linear", "cubic"]
TAPS = {"nearest": 1, "linear": 2, "cubic": 4}
BOUNDARIES = ("constant", "reflect", "symmetric", "replicate", "circular")  # in the order of csrc/resample.cpp
MOST_AXES = 3
FAR = 1e6  # positions farther out count as this far
_Plan = c_int64 * 10

_P, _I = c_void_p, c_int
declare("resample", _I, _I, _I, _P, _P, _P, _P, _P, c_float, _I)


def resample(
    x: Tensor,
    matrix: Tensor,
    displacement: Tensor | None = None,
    *,
    boundary: Boundary = "zeros",
    interpolation: Interpolation = "linear",
) -> Tensor:
    """y[b, c, p] = x[b, c] at the position that the b-th map has for p.

    In homogeneous coordinates, in samples, axis after axis as x has them: position = (matrix[b] · (p, 1)), divided by
    its last entry, + displacement[b, :, p]. At whole positions the sample itself is read, exactly.

    Args:
        x: (batch, channels, *size) with one to three axes, uint8, int16 or float32, on the CPU.
        matrix: (batch, axes + 1, axes + 1) float64.
        displacement: (batch, axes, *size) float32, in samples; None for none.
        boundary: what lies outside (see `lenrek.ops.pad`), as far out as the map goes.
        interpolation: "nearest" (halves round up), "linear" in every axis, or "cubic" (Keys, a = −1/2).
    Returns:
        Contiguous, of the shape and type of x; whole numbers are rounded, and limited to what the type holds.
    Raises:
        ShapeError: the shapes do not fit.
        OptionError: an unknown boundary or interpolation.
    Source: Keys 1981, doi:10.1109/TASSP.1981.1163711 (cubic).
    Example:
        >>> shift = torch.tensor([[[1.0, 0.5], [0.0, 1.0]]], dtype=torch.float64)
        >>> resample(torch.tensor([[[0.0, 10.0, 30.0]]]), shift, boundary="replicate")
        tensor([[[ 5., 20., 30.]]])
    """
    axes = x.ndim - 2
    if not 1 <= axes <= MOST_AXES or matrix.shape != (len(x), axes + 1, axes + 1):
        raise ShapeError(
            f"resample: matrix is {tuple(matrix.shape)}, but x {tuple(x.shape)} = (batch, channels, *size) with "
            f"{axes} axes expects {(len(x), axes + 1, axes + 1)}, for 1 to {MOST_AXES} axes."
        )
    if displacement is not None and displacement.shape != (len(x), axes, *x.shape[2:]):
        raise ShapeError(
            f"resample: displacement is {tuple(displacement.shape)}, expected {(len(x), axes, *x.shape[2:])}."
        )
    check_boundary(boundary, "resample")
    if interpolation not in TAPS:
        names = ", ".join(get_args(Interpolation))
        raise OptionError(f"resample: interpolation is {interpolation!r}, expected one of {names}.")
    if x.dtype == torch.int16:
        y = resample(x.float(), matrix, displacement, boundary=boundary, interpolation=interpolation)
        return y.add_(0.5).floor_().clamp_(-32768, 32767).to(torch.int16)
    if available() and x.dtype in (torch.uint8, torch.float32) and x.numel() and x[0, 0].numel() < 2**31:
        return _by_kernel(x, matrix, displacement, boundary, interpolation)
    return resample_reference(x, matrix, displacement, boundary, interpolation)


def _by_kernel(x: Tensor, matrix: Tensor, displacement: Tensor | None, boundary: Boundary, how: str) -> Tensor:
    x = x.contiguous()
    axes = x.ndim - 2
    size = (*(1,) * (MOST_AXES - axes), *x.shape[2:])
    # The maps act on three axes and 1; leading axes that x lacks stay where they are.
    maps = torch.eye(MOST_AXES + 1, dtype=torch.float64).repeat(len(x), 1, 1)
    maps[:, MOST_AXES - axes :, MOST_AXES - axes :] = matrix
    last = torch.tensor([0.0] * axes + [1.0], dtype=torch.float64)
    projective = bool((matrix[:, -1] != last).any())
    code, outside = _boundary_code(boundary)
    y = torch.empty_like(x)
    if displacement is not None:
        displacement = displacement.contiguous()
    kernel("resample")(
        int(x.dtype == torch.uint8),
        TAPS[how],
        axes,
        _Plan(len(x), x.shape[1], *size, *size, code, projective),
        x.data_ptr(),
        y.data_ptr(),
        maps.data_ptr(),
        None if displacement is None else displacement.data_ptr(),
        outside,
        torch.get_num_threads(),
    )
    return y


def _boundary_code(boundary: Boundary) -> tuple[int, float]:
    if isinstance(boundary, str):
        return BOUNDARIES.index("constant" if boundary == "zeros" else boundary), 0.0
    return BOUNDARIES.index("constant"), float(boundary)


def resample_reference(
    x: Tensor, matrix: Tensor, displacement: Tensor | None, boundary: Boundary, interpolation: Interpolation
) -> Tensor:
    """`resample` in PyTorch's operators, for any floating type too."""
    size = x.shape[2:]
    axes, flat = len(size), x.flatten(2)
    work = x.dtype if x.is_floating_point() else torch.float32
    grid = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in size), indexing="ij")
    points = torch.stack([*grid, torch.ones(size, dtype=torch.float64)]).flatten(1)
    places = matrix @ points
    at = places[:, :-1] / places[:, -1:]
    if displacement is not None:
        at = at + displacement.flatten(2)
    at = torch.nan_to_num(at, nan=-FAR).clamp(-FAR, FAR)
    code, outside = _boundary_code(boundary)
    taps = [_taps(at[:, k], size[k], code, interpolation, work) for k in range(axes)]
    total = torch.zeros(flat.shape, dtype=work)
    rest = torch.ones_like(at[:, 0], dtype=work)
    for combination in product(*taps):
        offset, weight = torch.zeros_like(combination[0][0]), torch.ones_like(rest)
        for (index, part), samples in zip(combination, size, strict=True):
            offset, weight = offset * samples + index, weight * part
        read = flat.gather(2, offset.unsqueeze(1).expand(-1, flat.shape[1], -1))
        total += weight.unsqueeze(1) * read.to(work)
        rest -= weight
    if code == 0:
        total += outside * rest.unsqueeze(1)
    if x.dtype == torch.uint8:
        total = total.clamp_(0, 255).add_(0.5).floor_()
    return total.to(x.dtype).view(x.shape)


def _taps(at: Tensor, size: int, code: int, how: str, work: torch.dtype) -> list[tuple[Tensor, Tensor]]:
    """Index and weight of every sample that counts along one axis."""
    if how == "nearest":
        first, weights = (at + 0.5).floor(), [torch.ones_like(at)]
    else:
        first = at.floor()
        f = at - first
        weights = [1 - f, f]
        if how == "cubic":
            first = first - 1
            weights = [
                f * (-0.5 + f * (1 - 0.5 * f)),
                1 + f * f * (-2.5 + 1.5 * f),
                f * (0.5 + f * (2 - 1.5 * f)),
                f * f * (-0.5 + 0.5 * f),
            ]
    found = []
    for number, weight in enumerate(weights):
        i = first.long() + number
        if code == 0:
            weight = torch.where((i < 0) | (i >= size), 0.0, weight)
        found.append((_inside(i, size, BOUNDARIES[code]), weight.to(work)))
    return found


def _inside(i: Tensor, size: int, boundary: str) -> Tensor:
    """The sample that each position repeats."""
    if boundary in ("reflect", "symmetric"):
        extra = int(boundary == "symmetric")
        period = 2 * (size - 1 + extra)
        if period == 0:
            return torch.zeros_like(i)
        i = i % period
        return torch.where(i >= size, period - extra - i, i)
    return i % size if boundary == "circular" else i.clamp(0, size - 1)
