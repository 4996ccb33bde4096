"""A transposed correlation or convolution, output by output: the input with zeros between and around its samples."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np

from lenrek.drawing.arithmetic.convolution import check_channels, facts_of, read_bias, read_pair
from lenrek.drawing.arithmetic.limits import refuse_cells, refuse_products
from lenrek.drawing.arithmetic.values import axes_words
from lenrek.drawing.arithmetic.work import GAP, PADDING, SAMPLE, Step, Term, Work, gathered
from lenrek.errors import OptionError
from lenrek.geometry import (
    Boundary,
    Padding,
    TransposedAxisWindow,
    check_boundary,
    check_reach,
    sources,
    transposed_windows,
)


def work_transposed(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
    *,
    boundary: Boundary = "zeros",
    operation: str = "correlate",
) -> Work:
    """Every product of a `correlate_transposed` or `convolve_transposed`; arguments as for `draw_transposed`."""
    who = "draw_transposed"
    if operation not in ("correlate", "convolve"):
        raise OptionError(f"{who}: operation is {operation!r}, expected correlate or convolve.")
    if not isinstance(check_boundary(boundary, who), str):
        raise OptionError(
            f"{who}: boundary is {boundary!r}, but only linear maps have an adjoint, expected zeros or a name."
        )
    x, weight = read_pair(x, weight, who)
    check_channels(len(x), len(weight), len(weight), weight, groups, who)
    per_group, ins = weight.shape[1], len(weight) // groups
    channels, kernel = groups * per_group, weight.shape[2:]
    offsets = read_bias(bias, channels, who)
    size = x.shape[1:]
    found = transposed_windows(
        size, kernel, stride=stride, padding=padding, dilation=dilation, output_padding=output_padding, who=who
    )
    axes = [_Axis(window, boundary, number, who) for number, window in enumerate(found)]
    grid = np.zeros((len(x), *(len(axis.cells) for axis in axes)))
    refuse_cells(grid, "zeros between", who)
    at = [[axis.cells.index(i * axis.stride) for i in range(n)] for axis, n in zip(axes, size, strict=True)]
    grid[np.ix_(range(len(x)), *at)] = x
    out_size = [window.out_size for window in found]
    refuse_products(channels, out_size, ins * prod(kernel), who)
    laid = weight if operation == "correlate" else np.flip(weight, axis=tuple(range(2, weight.ndim)))
    steps = []
    for channel, *position in product(range(channels), *map(range, out_size)):
        reads: list[list[tuple[int, int]]] = [axis.reads(p) for axis, p in zip(axes, position, strict=True)]
        terms, total = [], offsets[channel] if offsets is not None else 0.0
        for i, pairs in product(range(ins), list(product(*reads))):
            cell = (channel // per_group * ins + i, *(place for place, _ in pairs))
            k = [j for _, j in pairs]
            shown = k if operation == "correlate" else [n - 1 - j for n, j in zip(kernel, k, strict=True)]
            first = channel // per_group * ins + i
            value = float(laid[(first, channel % per_group, *k)])
            terms.append(Term(cell, float(grid[cell]), (first, channel % per_group, *shown), value))
            total += terms[-1].sample * value
        covers = tuple(range(min(r)[0], max(r)[0] + 1) for r in reads)
        steps.append(Step((channel, *position), tuple(terms), float(total), covers=covers))
    return Work(
        kind=f"{operation}_transposed",
        x=grid,
        kinds=_kinds(axes, size),
        weight=weight,
        bias=offsets,
        y=gathered(steps, channels, out_size),
        steps=tuple(steps),
        in_size=size,
        groups=groups,
        facts=_facts(found, groups, boundary),
        sums=tuple(_sum(window) for window in found),
    )


class _Axis:
    """The cells of one axis, numbered as the forward layer's windows start: sample i at i·stride.

    Output p sums input i through tap k where p = stride·i + dilation·k − before: it reads the cells
    p + before − dilation·k. What a boundary folds back onto p is read from p's places outside, too.
    """

    def __init__(self, window: TransposedAxisWindow, boundary: Boundary, number: int, who: str) -> None:
        forward = window.forward
        self.stride, self._dilation, self._taps = forward.stride, forward.dilation, forward.kernel_size
        before, after = (forward.before, forward.after) if boundary != "zeros" else (0, 0)
        check_reach(window.out_size, before, after, boundary, number, who)
        self._ends: list[list[int]] = [[] for _ in range(window.out_size)]
        for place, source in enumerate(sources(window.out_size, before, after, boundary)):
            if source is not None:
                self._ends[source].append(place - before + forward.before)
        last = max(max(ends) for ends in self._ends)
        first = min(min(ends) for ends in self._ends) - forward.reach
        self.cells = range(min(0, first), max((window.in_size - 1) * self.stride, last) + 1)

    def reads(self, p: int) -> list[tuple[int, int]]:
        """(cell, tap) of output p, in the order of the cells."""
        taps = reversed(range(self._taps))
        return sorted((end - self._dilation * k - self.cells.start, k) for k in taps for end in self._ends[p])


def _kinds(axes: Sequence[_Axis], size: Sequence[int]) -> np.ndarray:
    shape = [len(axis.cells) for axis in axes]
    kinds = np.full(shape, PADDING, dtype="<U8")
    for index in product(*map(range, shape)):
        places = [axis.cells[i] for axis, i in zip(axes, index, strict=True)]
        if all(0 <= q <= (n - 1) * axis.stride for q, axis, n in zip(places, axes, size, strict=True)):
            whole = all(q % axis.stride == 0 for q, axis in zip(places, axes, strict=True))
            kinds[index] = SAMPLE if whole else GAP
    return kinds


def _facts(found: Sequence[TransposedAxisWindow], groups: int, boundary: Boundary) -> tuple[str, ...]:
    extra = [window.output_padding for window in found]
    facts = facts_of([window.forward for window in found], groups, boundary)
    return (*facts, f"output padding {axes_words(extra)}") if any(extra) else facts


def _sum(window: TransposedAxisWindow) -> str:
    """The output's size, as `geometry.transposed_windows` computes it."""
    one = window.forward
    sides = "".join(f" − {side}" for side in (one.before, one.after) if side)
    extra = f" + {window.output_padding}" if window.output_padding else ""
    reach = f"{one.dilation}·({one.kernel_size} − 1)"
    return f"({window.in_size} − 1)·{one.stride}{sides} + {reach}{extra} + 1 = {window.out_size}"
