"""Where the windows of a convolution or pooling lie: how many there are, what each reads, and who reads a sample.

Positions count samples of one axis: sample i sits at i, padding before the axis at −1, −2, …. Everything is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd

from lenrek.errors import ShapeError
from lenrek.geometry.axes import per_axis, sizes_of
from lenrek.geometry.padding import Padding, resolve_padding


@dataclass(frozen=True)
class AxisWindow:
    """The windows along one axis: output p reads the positions stride·p + dilation·j − before, 0 ≤ j < kernel_size.

    Attributes:
        in_size, out_size: samples of the input (without padding) and of the output.
        kernel_size, stride, dilation: in samples, at least 1.
        before, after: padding on each side, in samples.
    """

    in_size: int
    kernel_size: int
    stride: int
    dilation: int
    before: int
    after: int
    out_size: int

    @property
    def reach(self) -> int:
        """Distance from the first position a window reads to the last: dilation·(kernel_size − 1)."""
        return self.dilation * (self.kernel_size - 1)

    @property
    def step(self) -> int:
        """Distance between neighbouring windows: the stride."""
        return self.stride

    @property
    def first(self) -> int:
        """The first position that window 0 reads: −before."""
        return -self.before

    def reads(self, p: int) -> range:
        """The input positions that output `p` reads; those below 0 or from `in_size` on lie in the padding.

        >>> windows((7,), (3,), stride=2, padding=1)[0].reads(0)
        range(-1, 2)
        """
        check_position(p, self.out_size, "AxisWindow.reads", "output")
        start = self.first + self.step * p
        return range(start, start + self.reach + 1, self.dilation)

    def read_by(self, i: int) -> range:
        """The outputs that read input `i`: exactly those p for which `i in reads(p)`.

        >>> windows((7,), (3,), stride=2, padding=1)[0].read_by(1)
        range(0, 2)
        """
        check_position(i, self.in_size, "AxisWindow.read_by", "input")
        # stride·p + dilation·j = last has solutions only where gcd(stride, dilation) divides last, and then every
        # (dilation/gcd)-th p is one; 0 ≤ j < kernel_size and 0 ≤ p < out_size bound them.
        last = i + self.before
        common = gcd(self.stride, self.dilation)
        if last % common:
            return range(0)
        period = self.dilation // common
        lowest = max(0, -((self.reach - last) // self.stride))
        solution = last // common * pow(self.stride // common, -1, period)
        return range(lowest + (solution - lowest) % period, min(last // self.stride + 1, self.out_size), period)

    def centre(self, p: int) -> Fraction:
        """The position in the middle of what output `p` reads, halfway between two samples for even windows.

        >>> windows((7,), (4,), stride=2, padding=1)[0].centre(1)
        Fraction(5, 2)
        """
        check_position(p, self.out_size, "AxisWindow.centre", "output")
        return self.first + self.step * p + Fraction(self.reach, 2)


def windows(
    in_size: Sequence[int],
    kernel_size: int | Sequence[int],
    *,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    who: str = "windows",
) -> tuple[AxisWindow, ...]:
    """The windows along each axis: ⌊(in + before + after − dilation·(kernel_size − 1) − 1)/stride⌋ + 1 of them.

    Args:
        in_size: samples per axis, without batch and channels.
        kernel_size, stride, dilation: in samples; an int for every axis, or one per axis.
        padding: as for `resolve_padding`.
        ceil_mode: where samples remain after the last whole window, add one more window that reaches beyond the
            padding, provided that it starts inside the input or the padding before it: PyTorch's rule.
        who: the operation an error speaks for.
    Raises:
        ShapeError: a window that does not fit, or not one value per axis.
        OptionError: a value out of range, an unknown padding.
    Source: Dumoulin & Visin 2016, arXiv:1603.07285, §2; the ceil rule is that of `torch.nn.MaxPool2d`.
    Example:
        >>> [w.out_size for w in windows((3, 5), (3, 5), stride=(2, 2), padding=(2, 1))]
        [3, 2]
    """
    found = []
    for axis, (n, k, s, d, before, after) in enumerate(
        axis_parameters(in_size, kernel_size, stride, padding, dilation, who)
    ):
        moves, rest = divmod(n + before + after - d * (k - 1) - 1, s)
        if ceil_mode and rest and (moves + 1) * s < n + before:
            moves += 1
        if moves < 0:
            raise ShapeError(_too_small(axis, n, k, d, before, after, who))
        found.append(AxisWindow(n, k, s, d, before, after, out_size=moves + 1))
    return tuple(found)


def output_size(
    in_size: Sequence[int],
    kernel_size: int | Sequence[int],
    *,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    who: str = "output_size",
) -> tuple[int, ...]:
    """Outputs per axis of a convolution or pooling; arguments, errors and source are those of `windows`.

    Example:
        >>> output_size((224, 224), 7, stride=2, padding=3)
        (112, 112)
    """
    found = windows(
        in_size, kernel_size, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode, who=who
    )
    return tuple(window.out_size for window in found)


def axis_parameters(
    in_size: Sequence[int],
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int],
    padding: Padding,
    dilation: int | Sequence[int],
    who: str,
) -> tuple[tuple[int, int, int, int, int, int], ...]:
    """Checked, and regrouped by axis: (in_size, kernel_size, stride, dilation, before, after) for each."""
    sizes = sizes_of(in_size, who, "in_size")
    kernel = per_axis(kernel_size, len(sizes), who, "kernel_size")
    steps = per_axis(stride, len(sizes), who, "stride")
    spacing = per_axis(dilation, len(sizes), who, "dilation")
    sides = resolve_padding(padding, kernel, spacing, who=who)
    return tuple(
        (n, k, s, d, before, after)
        for n, k, s, d, (before, after) in zip(sizes, kernel, steps, spacing, sides, strict=True)
    )


def clip(positions: range, size: int) -> range:
    """Those positions that are samples of an axis: 0 ≤ position < size.

    >>> clip(range(-3, 9, 2), 6)
    range(1, 7, 2)
    """
    start, step = positions.start, positions.step
    return positions[max(0, -(start // step)) : max(0, -((start - size) // step))]


def check_position(position: int, size: int, who: str, what: str) -> None:
    """Raise `ShapeError` unless 0 ≤ position < size; negative positions are never counted from the end."""
    if not 0 <= position < size:
        raise ShapeError(f"{who}: {what} position {position}, expected 0 ≤ position < {size}.")


def _too_small(axis: int, n: int, k: int, d: int, before: int, after: int, who: str) -> str:
    extent, padded = d * (k - 1) + 1, n + before + after
    lacking = extent - padded
    return (
        f"{who}: on axis {axis} the window covers {d}·({k} − 1) + 1 = {extent} samples, "
        f"but the padded input has {before} + {n} + {after} = {padded}.\n"
        f"  Hint: give the input {lacking} more {'sample' if lacking == 1 else 'samples'} or as much padding, "
        "or make the kernel smaller."
    )
