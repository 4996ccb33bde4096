"""Samples added outside a signal, image or volume, and the adjoint that folds them back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional as F

from lenrek.errors import OptionError, ShapeError
from lenrek.geometry import Boundary, BoundaryName, Padding, Run, check_boundary, check_reach, resolve_padding, runs

Sides = Sequence[tuple[int, int]]


def pad(x: Tensor, padding: Padding, boundary: Boundary = "zeros") -> Tensor:
    """Extend the last axes of `x` by samples before and after each.

    Args:
        x: (…, *size), any type; the padded axes are the last ones, one for each entry of `padding`.
        padding: one entry per axis, a number of samples for both sides or (before, after).
        boundary: what is found outside the samples a b c d:
            `zeros` 0 0 · a b c d · 0 0; a number v: v v · a b c d · v v;
            `reflect` c b · a b c d · c b; `symmetric` b a · a b c d · d c;
            `replicate` a a · a b c d · d d; `circular` c d · a b c d · a b, as many times around as asked.
    Returns:
        (…, *(before + size + after)); `x` itself where nothing is added.
    Raises:
        ShapeError: more padded axes than `x` has, or a mirror wider than the axis.
        OptionError: an unknown boundary, a negative padding.
    Example:
        >>> pad(torch.arange(4), [(2, 1)], "reflect")
        tensor([2, 1, 0, 1, 2, 3, 2])
    """
    if isinstance(padding, int | str):
        raise ShapeError(f"pad: padding {padding!r} does not say for how many axes, expected one entry per axis.")
    entries = tuple(padding)
    if len(entries) > x.ndim:
        raise ShapeError(f"pad: padding {entries} is for {len(entries)} axes, but x has {x.ndim}.")
    return extend(x, resolve_padding(entries, (1,) * len(entries), who="pad"), boundary, "pad")


def extend(x: Tensor, sides: Sides, boundary: Boundary, who: str) -> Tensor:
    """`pad` with the samples (before, after) of each of the last axes already resolved; errors speak for `who`."""
    check_boundary(boundary, who)
    if not any(before or after for before, after in sides):
        return x
    first = x.ndim - len(sides)
    amounts = [samples for side in reversed(sides) for samples in side]  # as PyTorch wants them: last axis first
    if boundary == "zeros" or not isinstance(boundary, str):
        check_holds(x.dtype, boundary, who)
        return F.pad(x, amounts, value=0.0 if boundary == "zeros" else boundary)
    if boundary in ("reflect", "replicate") and len(sides) <= 3 and x.ndim == len(sides) + 2 and x.is_floating_point():
        for axis, (before, after) in enumerate(sides):
            check_reach(x.shape[first + axis], before, after, boundary, axis, who)
        return F.pad(x, amounts, mode=boundary)  # one copy; below there is one for each padded axis
    for axis, (before, after) in enumerate(sides):
        if before or after:
            size = x.shape[first + axis]
            check_reach(size, before, after, boundary, axis, who)
            pieces = [_take(x, first + axis, run) for run in runs(size, before, after, cast(BoundaryName, boundary))]
            x = torch.cat(pieces, first + axis)
    return x


def check_holds(dtype: torch.dtype, boundary: Boundary, who: str) -> None:
    """Refuse a constant boundary that the type of x would silently change."""
    if isinstance(boundary, str) or dtype.is_floating_point or dtype.is_complex or dtype == torch.bool:
        return
    limits = torch.iinfo(dtype)
    if not limits.min <= boundary <= limits.max or boundary != int(boundary):
        raise OptionError(
            f"{who}: boundary is {boundary!r}, but x is {dtype}, expected an integer from {limits.min} to {limits.max}."
        )


def extend_adjoint(y: Tensor, sides: Sides, boundary: Boundary, who: str) -> Tensor:
    """The adjoint of `extend`: every outside sample is added to the one it repeats, or dropped where it repeats none.

    ⟨extend(x), y⟩ = ⟨x, extend_adjoint(y)⟩ for every x; of a constant boundary the linear part counts.
    """
    check_boundary(boundary, who)
    first = y.ndim - len(sides)
    for axis in reversed(range(len(sides))):
        before, after = sides[axis]
        if not (before or after):
            continue
        size = y.shape[first + axis] - before - after
        inside = y.narrow(first + axis, before, size)
        if isinstance(boundary, str) and boundary != "zeros":
            check_reach(size, before, after, boundary, axis, who)
            position, total = 0, inside
            for run in runs(size, before, after, cast(BoundaryName, boundary)):
                if position != before:  # the run at `before` is the inside itself
                    piece = y.narrow(first + axis, position, run.length)
                    total = total + _put(piece, first + axis, run, size)
                position += run.length
            inside = total
        y = inside
    return y


def _take(x: Tensor, axis: int, run: Run) -> Tensor:
    """The samples of one run."""
    if run.step == 0:
        shape = [-1] * x.ndim
        shape[axis] = run.length
        return x.narrow(axis, run.start, 1).expand(shape)
    if run.step == 1:
        return x.narrow(axis, run.start, run.length)
    return x.narrow(axis, run.start - run.length + 1, run.length).flip(axis)


def _put(y: Tensor, axis: int, run: Run, size: int) -> Tensor:
    """The adjoint of `_take`: zeros but for the samples of the run."""
    lowest, length = run.start, run.length
    if run.step == 0:
        y, length = y.sum(axis, keepdim=True), 1
    elif run.step == -1:
        y, lowest = y.flip(axis), run.start - run.length + 1
    amounts = [0, 0] * (y.ndim - 1 - axis) + [lowest, size - lowest - length]
    return F.pad(y, amounts)
