"""Who reads whom along one axis of a volume: a table of positions, and the same as a formula without borders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from lenrek.geometry.transposed import TransposedAxisWindow
from lenrek.geometry.window import AxisWindow

NOWHERE = -1
MOST_PROBES = 512  # impulses used at once to see what an interpolation reads


@dataclass(frozen=True, eq=False)
class Reading:
    """Along one axis, output p reads the positions `table[p]`, which lie from first + step·p to first + step·p + reach.

    Attributes:
        table: (outputs, positions), int64; NOWHERE fills the rows up.
        first, step, reach: as of a window of `lenrek.geometry`; positions outside the axis lie in the padding.
        bound: whether some outputs read less than what the three numbers say.
        irregular: why there are no such three numbers.
    """

    table: Tensor
    first: Fraction = Fraction(0)
    step: Fraction = Fraction(1)
    reach: Fraction = Fraction(0)
    bound: bool = False
    irregular: str = ""


def by_window(window: AxisWindow) -> Reading:
    """What a convolution or pooling reads."""
    starts = torch.arange(window.out_size)[:, None] * window.stride - window.before
    return _of(window, starts + torch.arange(window.kernel_size) * window.dilation, window.in_size)


def by_transposed(window: TransposedAxisWindow) -> Reading:
    """What a transposed convolution reads."""
    forward = window.forward
    offsets = torch.arange(forward.kernel_size) * forward.dilation
    scaled = torch.arange(window.out_size)[:, None] + forward.before - offsets
    positions = torch.where(scaled % forward.stride == 0, scaled.div(forward.stride, rounding_mode="floor"), NOWHERE)
    return replace(_of(window, positions, window.in_size), bound=forward.stride > 1)


def by_position(positions: Sequence[int] | Tensor, in_size: int, irregular: str = "gathered by indices") -> Reading:
    """Output p reads one position. A range has its step even where it is short; of others `irregular` is said."""
    row = torch.as_tensor(positions, dtype=torch.int64)
    if isinstance(positions, range):
        return Reading(_inside(row[:, None], in_size), Fraction(positions.start), Fraction(positions.step))
    first, step = (int(row[0]) if len(row) else 0), (int(row[1] - row[0]) if len(row) > 1 else 1)
    regular = bool((row == first + step * torch.arange(len(row))).all())
    return Reading(
        _inside(row[:, None], in_size), Fraction(first), Fraction(step), irregular="" if regular else irregular
    )


def by_padding(before: int, in_size: int, positions: Sequence[int] | Tensor) -> Reading:
    """Samples added at the borders: output p reads `positions[p]`; as a formula, samples go on beyond the border."""
    return Reading(_inside(torch.as_tensor(positions, dtype=torch.int64)[:, None], in_size), Fraction(-before))


@lru_cache(256)
def by_adaptive(in_size: int, out_size: int) -> Reading:
    """What adaptive pooling reads: from ⌊p·in/out⌋ up to ⌈(p + 1)·in/out⌉, not included."""
    rows = [range(p * in_size // out_size, -(-(p + 1) * in_size // out_size)) for p in range(out_size)]
    width = max(len(row) for row in rows)
    table = torch.tensor([[*row, *[NOWHERE] * (width - len(row))] for row in rows])
    return bounded(table, Fraction(in_size, out_size))


@lru_cache(256)
def by_interpolation(operator: Any, axes: int, in_size: int, out_size: int, options: tuple[Any, ...]) -> Reading:
    """What an interpolation of PyTorch's reads along each of its axes, seen from what it makes of single impulses.

    Args:
        operator: `torch.ops.aten.upsample_…`, interpolating `axes` axes.
        options: align_corners, if it takes that, and the scale along this axis (None where the sizes say it).
    """
    probes = min(in_size, MOST_PROBES)
    *corners, scale = options
    others = [2] * (axes - 1)  # not 1: with antialiasing PyTorch 2.13 then mistakes the axis
    impulses = torch.zeros(1, probes, in_size, *others, dtype=torch.float64)
    impulses[:, torch.arange(in_size) % probes, torch.arange(in_size)] = 1
    made = operator(impulses, [out_size, *others], *corners, scale, *[None] * (axes - 1))
    weights = made.reshape(probes, out_size, -1)[:, :, 0].T
    width = int((weights != 0).sum(1).max())
    step = _step(in_size, out_size, any(corners), scale)
    # Position i shows in probe i mod probes: it is the one nearest to where output p lies.
    probe = torch.topk((weights != 0).to(torch.int8), width, dim=1).indices
    expected = torch.arange(out_size)[:, None] * float(step)
    turns = torch.round((expected - probe) / probes).long() if probes < in_size else 0
    positions = probe + probes * turns
    reads = weights.gather(1, probe) != 0
    return bounded(torch.where(reads, positions, NOWHERE), step)


def bounded(table: Tensor, step: Fraction) -> Reading:
    """A table with the smallest formula of this step that holds it."""
    high = table.amax(1)
    low = torch.where(table == NOWHERE, torch.iinfo(torch.int64).max, table).amin(1)
    # In units of 1/denominator, so that integers are exact.
    phases = torch.arange(len(table)) * step.numerator
    reads = high != NOWHERE
    lows, highs = (end[reads] * step.denominator - phases[reads] for end in (low, high))
    if not len(lows):
        return Reading(table, step=step)
    first, last = Fraction(int(lows.min()), step.denominator), Fraction(int(highs.max()), step.denominator)
    exact = bool((lows == lows[0]).all() and (highs == highs[0]).all())
    return Reading(table, first, step, last - first, bound=not exact)


def _step(in_size: int, out_size: int, align_corners: bool, scale: float | None) -> Fraction:
    if align_corners:
        return Fraction(in_size - 1, out_size - 1) if out_size > 1 else Fraction(0)
    return 1 / Fraction(scale).limit_denominator(10_000) if scale else Fraction(in_size, out_size)


def _of(window: AxisWindow | TransposedAxisWindow, positions: Tensor, in_size: int) -> Reading:
    return Reading(_inside(positions, in_size), Fraction(window.first), Fraction(window.step), Fraction(window.reach))


def _inside(positions: Tensor, in_size: int) -> Tensor:
    return torch.where((positions >= 0) & (positions < in_size), positions, NOWHERE)
