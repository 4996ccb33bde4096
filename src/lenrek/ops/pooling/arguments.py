"""What every pooling is asked and given: its axes, its windows, the type and the memory format of its input."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.autograd import forward_ad

from lenrek.errors import OptionError, ShapeError
from lenrek.geometry import AxisWindow, Boundary, Padding, windows
from lenrek.geometry.window import clip
from lenrek.ops.boundary import extend

_INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def pooled_ndim(x: Tensor, sizes: object, who: str, name: str) -> int:
    """Axes to pool over: as many as `sizes` has entries; those after batch and channels where it is a number."""
    given = tuple(x.shape)
    if not isinstance(sizes, Iterable):
        if x.ndim < 3:
            raise ShapeError(
                f"{who}: x {given} has {x.ndim} axes, expected at least 3: (batch, channels, *size).\n"
                f"  Hint: for x without a batch, {name} has one entry per pooled axis."
            )
        return x.ndim - 2
    ndim = len(tuple(sizes))
    if x.ndim not in (ndim + 1, ndim + 2):
        raise ShapeError(
            f"{who}: x {given} has {x.ndim} axes, but {name} has {ndim} entries, "
            f"expected {ndim + 2}: (batch, channels, *size), or {ndim + 1} without the batch."
        )
    return ndim


def pooling_windows(
    x: Tensor,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None,
    padding: Padding,
    dilation: int | Sequence[int],
    ceil_mode: bool,
    who: str,
) -> tuple[AxisWindow, ...]:
    """The windows along each pooled axis; without a stride they lie side by side."""
    ndim = pooled_ndim(x, kernel_size, who, "kernel_size")
    step = kernel_size if stride is None else stride
    return windows(
        x.shape[-ndim:], kernel_size, stride=step, padding=padding, dilation=dilation, ceil_mode=ceil_mode, who=who
    )


def extended(x: Tensor, found: Sequence[AxisWindow], boundary: Boundary, who: str) -> Tensor:
    """`x` with the padding of its windows."""
    return extend(x, [(window.before, window.after) for window in found], boundary, who)


def padded(found: Sequence[AxisWindow]) -> list[AxisWindow]:
    """The same windows, seen from the padded input: its padding counts as samples."""
    return [replace(w, in_size=w.before + w.in_size + w.after, before=0, after=0) for w in found]


def check_inside(found: Sequence[AxisWindow], who: str) -> None:
    """Raise `ShapeError` for a window that lies in the padding altogether."""
    for axis, window in enumerate(found):
        starts = -(-window.before // window.stride)  # the windows from this one on start at or after sample 0
        ends = max(starts, -(-(window.in_size + window.before) // window.stride))  # and from this one on, beyond all
        for p in (*range(min(starts, window.out_size)), *range(ends, window.out_size)):
            reads = window.reads(p)
            if not clip(reads, window.in_size):
                raise ShapeError(
                    f"{who}: on axis {axis} window {p} reads {list(reads)}, but x has only the samples 0 to "
                    f"{window.in_size - 1}, so there is none in it.\n"
                    "  Hint: pad less, or say what the padding holds: boundary=0.0."
                )


def check_type(x: Tensor, who: str, *, integers: bool = False, complex_numbers: bool = False) -> None:
    """Refuse a type that the operation has no meaning for."""
    if x.is_floating_point() or (integers and x.dtype in _INTEGERS) or (complex_numbers and x.is_complex()):
        return
    kinds = ["floating", *["complex"] * complex_numbers, *["integer"] * integers]
    hint = "abs()" if x.is_complex() else "to(torch.uint8)" if integers else "float()"
    raise OptionError(f"{who}: x is {x.dtype}, expected a {' or '.join(kinds)} type.\n  Hint: pass x.{hint}.")


def is_native(found: Sequence[AxisWindow]) -> bool:
    """Whether PyTorch pools over such windows: up to 3 axes, padded alike on both sides by up to half a kernel."""
    return len(found) <= 3 and all(w.before == w.after <= w.kernel_size // 2 for w in found)


def is_traced(x: Tensor) -> bool:
    """Whether what is done to `x` is recorded, for a derivative or a graph, and not only computed."""
    return (
        torch.compiler.is_compiling()
        or (x.requires_grad and torch.is_grad_enabled())
        or forward_ad.unpack_dual(x).tangent is not None
    )
