"""A pooling, window by window."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Any, Literal

import numpy as np

from lenrek.drawing.arithmetic.convolution import check_axes, constant_of, facts_of, inside_of, padded_sources, size_sum
from lenrek.drawing.arithmetic.limits import refuse_cells, refuse_products
from lenrek.drawing.arithmetic.values import axes_words, read, samples, written
from lenrek.drawing.arithmetic.work import NOTHING, PADDING, SAMPLE, Step, Term, Work, extended, gathered
from lenrek.errors import OptionError, ShapeError
from lenrek.geometry import AxisWindow, Boundary, Padding, check_boundary, windows
from lenrek.geometry.axes import per_axis

Kind = Literal["max", "average", "norm"]


def work_pooling(
    x: Any,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    *,
    kind: Kind = "max",
    boundary: Boundary | Literal["ignore"] | None = None,
    norm_type: float | None = None,
) -> Work:
    """Every window of a `max_pool`, `average_pool` or `lp_pool` of `lenrek.ops`; arguments as for `draw_pooling`."""
    who = "draw_pooling"
    if kind not in ("max", "average", "norm"):
        raise OptionError(f"{who}: kind is {kind!r}, expected max, average or norm.")
    if norm_type is not None and kind != "norm":
        raise OptionError(f'{who}: norm_type {norm_type} has no effect on kind="{kind}".')
    norm_type = 2.0 if norm_type is None else norm_type
    if not norm_type >= 1 or norm_type == float("inf"):
        raise OptionError(f"{who}: norm_type is {norm_type}, expected a finite number of at least 1.")
    x = read(x, samples, who, "x")
    if isinstance(kernel_size, Sequence) and len(kernel_size) == x.ndim:
        x = x[None]
    check_axes(x.ndim - 1, who)
    kernel = per_axis(kernel_size, x.ndim - 1, who, "kernel_size")
    found = windows(
        x.shape[1:], kernel, stride=kernel if stride is None else stride, padding=padding, dilation=dilation,
        ceil_mode=ceil_mode, who=who,
    )  # fmt: skip
    boundary = ("ignore" if kind == "max" else "zeros") if boundary is None else boundary
    check_boundary(boundary, who, also=() if kind == "norm" else ("ignore",))
    out_size = [window.out_size for window in found]
    refuse_products(len(x), out_size, prod(kernel), who, "samples read")
    grid, kinds = _around(x, found, boundary, who)
    starts = [window.before for window in found]
    steps = []
    for channel, *position in product(range(len(x)), *map(range, out_size)):
        reads = [window.reads(p) for window, p in zip(found, position, strict=True)]
        cells = [(channel, *(i + start for i, start in zip(places, starts, strict=True))) for places in product(*reads)]
        terms = tuple(Term(cell, float(grid[cell]), None, 1.0) for cell in cells if kinds[cell[1:]] != NOTHING)
        if not terms:
            raise ShapeError(
                f"{who}: the window of output {axes_words(position)} holds no sample of x.\n"
                "  Hint: pad less, or say what the padding holds: boundary=0.0."
            )
        value, chosen = _pooled([term.sample for term in terms], kind, norm_type)
        covers = tuple(range(r[0] + s, r[-1] + s + 1) for r, s in zip(reads, starts, strict=True))
        steps.append(Step((channel, *position), terms, value, chosen, covers))
    name = f"p = {written(norm_type)}" if kind == "norm" else ""
    return Work(
        kind=kind,
        x=grid,
        kinds=kinds,
        weight=None,
        bias=None,
        y=gathered(steps, len(x), out_size),
        steps=tuple(steps),
        in_size=x.shape[1:],
        groups=len(x),
        facts=(f"window {axes_words(kernel)}", *facts_of(found, 1, boundary, name), *["ceil mode"] * ceil_mode),
        sums=tuple(size_sum(window, ceil_mode) for window in found),
        norm_type=norm_type,
    )


def _around(
    x: np.ndarray, found: Sequence[AxisWindow], boundary: Boundary | str, who: str
) -> tuple[np.ndarray, np.ndarray]:
    """x with its padding, and with nothing where the last window reaches beyond that."""
    if boundary == "ignore":
        sides = [(window.before, window.after) for window in found]
        grid = np.pad(x, [(0, 0), *sides])
        kinds = np.where(inside_of(found), SAMPLE, NOTHING)
    else:
        places = padded_sources(found, boundary, who)  # type: ignore[arg-type]
        grid = extended(x, places, constant_of(boundary))  # type: ignore[arg-type]
        kinds = np.where(inside_of(found), SAMPLE, PADDING)
    beyond = [
        (0, max(0, w.reads(w.out_size - 1)[-1] + 1 + w.before - n)) for w, n in zip(found, kinds.shape, strict=True)
    ]
    grid, kinds = np.pad(grid, [(0, 0), *beyond]), np.pad(kinds, beyond, constant_values=NOTHING)
    refuse_cells(grid, "padding", who)
    return grid, kinds


def _pooled(values: Sequence[float], kind: Kind, norm_type: float) -> tuple[float, int | None]:
    if kind == "max":
        return max(values), values.index(max(values))
    if kind == "average":
        return sum(values) / len(values), None
    return sum(abs(value) ** norm_type for value in values) ** (1 / norm_type), None
