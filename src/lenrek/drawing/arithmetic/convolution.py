"""A correlation or convolution, product by product."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from lenrek.drawing.arithmetic.limits import refuse_cells, refuse_products
from lenrek.drawing.arithmetic.values import axes_words, read, samples, weights, written
from lenrek.drawing.arithmetic.work import PADDING, SAMPLE, Step, Term, Work, extended, gathered
from lenrek.errors import OptionError, ShapeError
from lenrek.geometry import AxisWindow, Boundary, Padding, check_boundary, check_reach, sources, windows


def work_convolution(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    *,
    boundary: Boundary = "zeros",
    operation: str = "correlate",
) -> Work:
    """Every product of a `correlate` or `convolve` of `lenrek.ops`; arguments as for `draw_convolution`."""
    who = "draw_convolution"
    if operation not in ("correlate", "convolve"):
        raise OptionError(f"{who}: operation is {operation!r}, expected correlate or convolve.")
    x, weight = read_pair(x, weight, who)
    check_channels(len(x), weight.shape[0], weight.shape[1] * groups, weight, groups, who)
    offsets = read_bias(bias, len(weight), who)
    size = x.shape[1:]
    found = windows(size, weight.shape[2:], stride=stride, padding=padding, dilation=dilation, who=who)
    places = padded_sources(found, check_boundary(boundary, who), who)
    grid = extended(x, places, constant_of(boundary))
    refuse_cells(grid, "padding", who)
    out_size = [window.out_size for window in found]
    refuse_products(len(weight), out_size, weight[0].size, who)
    laid = weight if operation == "correlate" else np.flip(weight, axis=tuple(range(2, weight.ndim)))
    per_group, outs = weight.shape[1], len(weight) // groups
    starts = [window.before for window in found]
    steps = []
    for channel, *position in product(range(len(weight)), *map(range, out_size)):
        reads = [window.reads(p) for window, p in zip(found, position, strict=True)]
        terms, total = [], offsets[channel] if offsets is not None else 0.0
        for i, *k in product(range(per_group), *map(range, weight.shape[2:])):
            cell = (
                channel // outs * per_group + i,
                *(read[j] + start for read, j, start in zip(reads, k, starts, strict=True)),
            )
            tap = (channel, i, *k)
            if operation == "convolve":
                tap = (channel, i, *(n - 1 - j for n, j in zip(weight.shape[2:], k, strict=True)))
            term = Term(cell, float(grid[cell]), tap, float(laid[(channel, i, *k)]))
            terms.append(term)
            total += term.sample * term.weight
        covers = tuple(range(read[0] + s, read[-1] + s + 1) for read, s in zip(reads, starts, strict=True))
        steps.append(Step((channel, *position), tuple(terms), float(total), covers=covers))
    return Work(
        kind=operation,
        x=grid,
        kinds=np.where(inside_of(found), SAMPLE, PADDING),
        weight=weight,
        bias=offsets,
        y=gathered(steps, len(weight), out_size),
        steps=tuple(steps),
        in_size=size,
        groups=groups,
        facts=facts_of(found, groups, boundary),
        sums=tuple(size_sum(window) for window in found),
    )


def read_pair(x: Any, weight: Any, who: str) -> tuple[np.ndarray, np.ndarray]:
    """x (channels, *size) and weight (·, ·, *kernel_size); both may come without their channels."""
    x, weight = read(x, samples, who, "x"), read(weight, weights, who, "weight")
    if x.ndim == weight.ndim:
        x, weight = x[None], weight[None, None]
    if weight.ndim != x.ndim + 1:
        raise ShapeError(
            f"{who}: x {x.shape} has {x.ndim} axes and weight {weight.shape} {weight.ndim}, expected "
            "(channels, *size) and (out_channels, in_channels/groups, *kernel_size), or (*size) and (*kernel_size)."
        )
    check_axes(x.ndim - 1, who)
    return x, weight


def check_axes(ndim: int, who: str) -> None:
    """Raise `ShapeError` for what paper has no room for."""
    if not 1 <= ndim <= 3:
        raise ShapeError(f"{who}: x has {ndim} axes besides its channels, expected 1, 2 or 3.")


def check_channels(given: int, first: int, expected: int, weight: np.ndarray, groups: Any, who: str) -> None:
    """As the operators do: the channels of x, and the first axis of the weight a multiple of the groups."""
    if not isinstance(groups, int) or isinstance(groups, bool) or groups < 1:
        raise OptionError(f"{who}: groups is {groups!r}, expected an integer of at least 1.")
    if first % groups:
        raise ShapeError(
            f"{who}: weight {weight.shape} has {first} channels first, expected a multiple of groups={groups}."
        )
    if given != expected:
        raise ShapeError(
            f"{who}: x has {given} channels, but weight {weight.shape} with groups={groups} expects {expected}."
        )


def read_bias(bias: Any, channels: int, who: str) -> np.ndarray | None:
    if bias is None:
        return None
    offsets = read(np.asarray(bias) if isinstance(bias, list | tuple) else bias, samples, who, "bias")
    if offsets.shape != (channels,):
        raise ShapeError(f"{who}: bias {offsets.shape}, expected one value per output channel: ({channels},).")
    return offsets


def padded_sources(found: Sequence[AxisWindow], boundary: Boundary, who: str) -> list[list[int | None]]:
    for axis, window in enumerate(found):
        check_reach(window.in_size, window.before, window.after, boundary, axis, who)
    return [sources(window.in_size, window.before, window.after, boundary) for window in found]


def constant_of(boundary: Boundary) -> float:
    return 0.0 if isinstance(boundary, str) else float(boundary)


def inside_of(found: Sequence[AxisWindow]) -> np.ndarray:
    """(*cells) whether a cell of the padded input is one of its samples."""
    inside = np.zeros([window.before + window.in_size + window.after for window in found], dtype=bool)
    inside[tuple(slice(window.before, window.before + window.in_size) for window in found)] = True
    return inside


def facts_of(found: Sequence[AxisWindow], groups: int, boundary: Boundary | str, name: str = "") -> tuple[str, ...]:
    """What an operation was asked, as far as it is not what everybody expects."""
    stride, dilation = [window.stride for window in found], [window.dilation for window in found]
    sides = [(window.before, window.after) for window in found]
    facts = [name] if name else []
    if any(s != 1 for s in stride):
        facts.append(f"stride {axes_words(stride)}")
    if any(map(any, sides)):
        facts.append(f"padding {axes_words([a if a == b else f'{a}+{b}' for a, b in sides])}")
        facts.append(f"boundary {boundary if isinstance(boundary, str) else written(boundary)}")
    if any(d != 1 for d in dilation):
        facts.append(f"dilation {axes_words(dilation)}")
    if groups != 1:
        facts.append(f"{groups} groups")
    return tuple(facts)


def size_sum(window: AxisWindow, ceil_mode: bool = False) -> str:
    """The output's size, as `geometry.windows` computes it."""
    padded = " + ".join(str(part) for part in (window.before, window.in_size, window.after) if part)
    reach = f"{window.dilation}·({window.kernel_size} − 1)"
    opened, closed, then = ("⌈", "⌉", "→") if ceil_mode else ("⌊", "⌋", "=")
    return f"{opened}({padded} − {reach} − 1) / {window.stride}{closed} + 1 {then} {window.out_size}"
