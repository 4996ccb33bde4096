"""Transposed windows: the forward windows read from the other end, so that inputs and outputs change places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from lenrek.errors import OptionError, ShapeError
from lenrek.geometry.axes import per_axis
from lenrek.geometry.padding import Padding
from lenrek.geometry.window import AxisWindow, axis_parameters, check_position, clip


@dataclass(frozen=True)
class TransposedAxisWindow:
    """The windows of a transposed convolution along one axis: input i adds to the outputs `forward.reads(i)`.

    Attributes:
        forward: the convolution from this layer's output to its input, of which it is the adjoint.
        output_padding: samples that the output has beyond the smallest that the forward layer could have come from.
    """

    forward: AxisWindow
    output_padding: int

    @property
    def in_size(self) -> int:
        """Samples of the input: the forward layer's output."""
        return self.forward.out_size

    @property
    def out_size(self) -> int:
        """Samples of the output: the forward layer's input."""
        return self.forward.in_size

    @property
    def reach(self) -> Fraction:
        """Distance between the ends of what an output may read, in input samples: dilation·(kernel_size − 1)/stride."""
        return self.forward.reach * self.step

    @property
    def step(self) -> Fraction:
        """Distance between the windows of neighbouring outputs, in input samples: 1/stride."""
        return Fraction(1, self.forward.stride)

    @property
    def first(self) -> Fraction:
        """Where output 0's window starts: (before − dilation·(kernel_size − 1))/stride."""
        return self.forward.before * self.step - self.reach

    def reads(self, p: int) -> range:
        """The inputs that output `p` is a sum of: none, where the stride leaves gaps between the kernels.

        >>> [list(transposed_windows((3,), (2,), stride=3)[0].reads(p)) for p in range(4)]
        [[0], [0], [], [1]]
        """
        check_position(p, self.out_size, "TransposedAxisWindow.reads", "output")
        return self.forward.read_by(p)

    def read_by(self, i: int) -> range:
        """The outputs that input `i` adds to; what would fall outside the output is cut off.

        >>> transposed_windows((3,), (4,), stride=2, padding=1)[0].read_by(0)
        range(0, 3)
        """
        check_position(i, self.in_size, "TransposedAxisWindow.read_by", "input")
        return clip(self.forward.reads(i), self.out_size)

    def centre(self, p: int) -> Fraction:
        """The input position, in general between samples, whose forward window has its centre on output `p`.

        >>> transposed_windows((3,), (4,), stride=2, padding=1)[0].centre(0)
        Fraction(-1, 4)
        """
        check_position(p, self.out_size, "TransposedAxisWindow.centre", "output")
        return self.first + self.step * p + self.reach / 2


def transposed_windows(
    in_size: Sequence[int],
    kernel_size: int | Sequence[int],
    *,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    output_padding: int | Sequence[int] = 0,
    output_size: Sequence[int] | None = None,
    who: str = "transposed_windows",
) -> tuple[TransposedAxisWindow, ...]:
    """The windows of a transposed convolution along each axis, the exact adjoint of `windows` with the same arguments.

    Per axis out = (in − 1)·stride − before − after + dilation·(kernel_size − 1) + output_padding + 1.

    Args:
        in_size: samples per axis of this layer's input.
        kernel_size, stride, dilation, padding: those of the forward convolution (so that padding makes the output
            smaller, and a named padding keeps its meaning).
        output_padding: samples added at the end of the output, below max(stride, dilation).
        output_size: instead of `output_padding`: the size wanted, one of the `stride` sizes that the forward layer
            takes to `in_size`.
        who: the operation an error speaks for.
    Raises:
        ShapeError: an output without samples, an impossible `output_size`, or not one value per axis.
        OptionError: a value out of range, or both `output_padding` and `output_size`.
    Source: Dumoulin & Visin 2016, arXiv:1603.07285, §4; the ranges are those of `torch.nn.ConvTranspose2d`.
    Example:
        >>> [w.out_size for w in transposed_windows((3, 2), (3, 5), stride=(2, 2), padding=(2, 1))]
        [3, 5]
        >>> transposed_windows((4,), 3, stride=2, padding=1, output_size=(8,))[0].output_padding
        1
    """
    parameters = axis_parameters(in_size, kernel_size, stride, padding, dilation, who)
    extra = per_axis(output_padding, len(parameters), who, "output_padding", minimum=0)
    if output_size is not None:
        if any(extra):
            raise OptionError(
                f"{who}: output_padding {extra} and output_size {tuple(output_size)} are both given, expected one."
            )
        wanted = per_axis(output_size, len(parameters), who, "output_size")
    found = []
    for axis, (n, k, s, d, before, after) in enumerate(parameters):
        least = (n - 1) * s - before - after + d * (k - 1) + 1
        if output_size is None:
            e = extra[axis]
            _check_output_padding(e, axis, s, d, who)
        else:
            e = wanted[axis] - least
            _check_output_size(wanted[axis], axis, least, s, who)
        if least + e < 1:
            raise ShapeError(
                f"{who}: on axis {axis} the output would have ({n} − 1)·{s} − {before} − {after} + {d}·({k} − 1) "
                f"+ {e} + 1 = {least + e} samples, expected at least 1.\n"
                "  Hint: the padding of a transposed layer makes its output smaller."
            )
        found.append(TransposedAxisWindow(AxisWindow(least + e, k, s, d, before, after, out_size=n), e))
    return tuple(found)


def transposed_output_size(
    in_size: Sequence[int],
    kernel_size: int | Sequence[int],
    *,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    output_padding: int | Sequence[int] = 0,
    output_size: Sequence[int] | None = None,
    who: str = "transposed_output_size",
) -> tuple[int, ...]:
    """Outputs per axis of a transposed convolution; arguments, errors and source are those of `transposed_windows`.

    Example:
        >>> transposed_output_size((7, 7), 4, stride=2, padding=1)
        (14, 14)
    """
    found = transposed_windows(
        in_size,
        kernel_size,
        stride=stride,
        padding=padding,
        dilation=dilation,
        output_padding=output_padding,
        output_size=output_size,
        who=who,
    )
    return tuple(window.out_size for window in found)


def _check_output_padding(extra: int, axis: int, stride: int, dilation: int, who: str) -> None:
    if extra >= max(stride, dilation):
        raise OptionError(
            f"{who}: output_padding is {extra} on axis {axis}, "
            f"expected less than max(stride, dilation) = max({stride}, {dilation}) = {max(stride, dilation)}."
        )


def _check_output_size(size: int, axis: int, least: int, stride: int, who: str) -> None:
    if not least <= size < least + stride:
        raise ShapeError(
            f"{who}: output_size is {size} on axis {axis}, "
            f"expected {least} to {least} + stride − 1 = {least} + {stride} − 1 = {least + stride - 1}."
        )
