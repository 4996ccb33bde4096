"""Convolution arithmetic as a drawing: every cell that is read, every product, every sum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np

from lenrek.drawing.arithmetic.convolution import work_convolution
from lenrek.drawing.arithmetic.layout import lay_out
from lenrek.drawing.arithmetic.placed import Show, Taste
from lenrek.drawing.arithmetic.pooling import Kind, work_pooling
from lenrek.drawing.arithmetic.transposed import work_transposed
from lenrek.drawing.arithmetic.words import size_sums
from lenrek.drawing.arithmetic.work import SAMPLE, Work
from lenrek.drawing.scene.drawing import Drawing
from lenrek.drawing.scene.shapes import Scene
from lenrek.errors import OptionError
from lenrek.geometry import Boundary, Padding

Operation = Literal["correlate", "convolve"]


def draw_convolution(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    *,
    boundary: Boundary = "zeros",
    operation: Operation = "correlate",
    show: Show = "numbers",
    title: str | None = None,
) -> Drawing:
    """Draw what `lenrek.ops.correlate` or `convolve` computes of the same arguments, one output after the other.

    Args:
        x: (in_channels, *size): an array, or a sequence of whole numbers, which is a shape to be filled with digits.
            1-D, 2-D or 3-D.
        weight: (out_channels, in_channels/groups, *kernel_size), an array or a shape; it is filled with whole numbers
            that have no symmetry. x (*size) and weight (*kernel_size) mean one channel.
        bias: (out_channels,).
        stride, padding, dilation, groups, boundary: as for `lenrek.ops.correlate`.
        operation: "convolve" lays the kernel over the input flipped on every axis.
        show: the values as "numbers", as "colours" (blue above zero, red below), or "both".
        title: above the picture; None: the name of the operation; "": none.
    Raises:
        ShapeError: channels disagree, a window does not fit, or more cells than one could read.
        OptionError: an unknown name, a value out of range, values that are not finite.
    Example:
        >>> drawn = draw_convolution((7, 5), (3, 2), stride=(2, 1), padding="same", boundary="reflect")
        >>> drawn.num_steps
        20
        >>> drawn.to_svg(step=0)[:38]
        '<svg xmlns="http://www.w3.org/2000/svg'
    """
    work = work_convolution(x, weight, bias, stride, padding, dilation, groups, boundary=boundary, operation=operation)
    return as_drawing(work, show, title, "draw_convolution")


def draw_transposed(
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
    operation: Operation = "correlate",
    show: Show = "numbers",
    title: str | None = None,
) -> Drawing:
    """Draw what `lenrek.ops.correlate_transposed` or `convolve_transposed` computes, one output after the other.

    The input is drawn as the outputs read it: with stride − 1 zeros between its samples, and zeros around them. The
    kernel then moves by one cell from output to output, and meets the samples flipped.

    Args:
        x: (in_channels, *size), an array or a shape.
        weight: (in_channels, out_channels/groups, *kernel_size), an array or a shape.
        stride, padding, output_padding, groups, dilation, boundary: as for `lenrek.ops.correlate_transposed`: those of
            the convolution whose adjoint this is.
        bias, operation, show, title: as for `draw_convolution`.
    Raises:
        ShapeError, OptionError: as `draw_convolution`.
    Example:
        >>> draw_transposed((3, 2), (3, 3), stride=2).num_steps
        35
    """
    work = work_transposed(
        x, weight, bias, stride, padding, output_padding, groups, dilation, boundary=boundary, operation=operation
    )
    return as_drawing(work, show, title, "draw_transposed")


def draw_pooling(
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
    show: Show = "numbers",
    title: str | None = None,
) -> Drawing:
    """Draw what `lenrek.ops.max_pool`, `average_pool` or `lp_pool` computes, one window after the other.

    Args:
        x: (channels, *size), an array or a shape; (*size) where `kernel_size` has as many entries.
        kernel_size, stride, padding, dilation, ceil_mode: as for `lenrek.ops.max_pool`.
        kind: "max", "average", or "norm" for lp_pool.
        boundary: what the padding holds; "ignore": nothing. None: "ignore" for a maximum, else "zeros".
        norm_type: of "norm", at least 1; None: 2.
        show, title: as for `draw_convolution`.
    Raises:
        ShapeError: a window that does not fit or holds nothing, or more cells than one could read.
        OptionError: an unknown name, a value out of range, an option without effect.
    Example:
        >>> draw_pooling((6, 9), (2, 3), kind="average").num_steps
        9
    """
    work = work_pooling(
        x, kernel_size, stride, padding, dilation, ceil_mode, kind=kind, boundary=boundary, norm_type=norm_type
    )
    return as_drawing(work, show, title, "draw_pooling")


def as_drawing(work: Work, show: Show, title: str | None, who: str) -> Drawing:
    """The drawing of an operation that was carried out cell by cell."""
    if show not in get_args(Show):
        raise OptionError(f"{who}: show is {show!r}, expected numbers, colours or both.")

    def scene(step: int | None) -> Scene:
        return lay_out(work, Taste(show, title, growing=step is None, only=step))

    return Drawing(scene, len(work.steps), best_step(work), who, _record(work))


def _record(work: Work) -> dict[str, Any]:
    return {
        "operation": work.kind,
        "in_shape": [len(work.x), *work.in_size],
        "out_shape": list(work.y.shape),
        "size": size_sums(work),
        "input": numbers_of(work).tolist(),
        "kernel": None if work.weight is None else work.weight.tolist(),
        "bias": None if work.bias is None else work.bias.tolist(),
        "output": work.y.tolist(),
        "steps": len(work.steps),
    }


def numbers_of(work: Work) -> np.ndarray:
    """The input without what lies around and between its samples."""
    return work.x[:, work.kinds == SAMPLE].reshape(len(work.x), *work.in_size)


def best_step(work: Work) -> int:
    """The step nearest to the middle of those that read the most samples of the input."""
    reads = [sum(work.kinds[term.cell[1:]] == SAMPLE for term in step.terms) for step in work.steps]
    middle = (len(reads) - 1) / 2
    return max(range(len(reads)), key=lambda n: (reads[n], -abs(n - middle), n))
