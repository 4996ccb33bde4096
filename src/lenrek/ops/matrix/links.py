"""Which tap of a kernel ties which input sample to which output sample: the pattern of every filter's matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from lenrek.errors import OptionError
from lenrek.geometry import AxisWindow, Boundary, check_boundary, check_reach, sources
from lenrek.ops.matrix.order import Order, site_numbers
from lenrek.ops.windows import windows_of


class Links(NamedTuple):
    """One entry per (output sample, tap) that reads a sample; taps that read zeros have none.

    Attributes:
        outputs, inputs: numbers of the samples within their channel, in the order asked for.
        taps: numbers of the kernel's entries, always row-major.
    """

    outputs: Tensor
    inputs: Tensor
    taps: Tensor


def links(found: Sequence[AxisWindow], boundary: Boundary, order: Order, who: str) -> Links:
    """The links of a correlation with these windows; a boundary may tie one input to several taps of an output.

    Raises:
        ShapeError: a mirror wider than the axis.
        OptionError: an unknown boundary, or a number other than 0.
    """
    check_linear(boundary, who)
    out_sites = site_numbers([window.out_size for window in found], order)
    in_strides = site_numbers([window.in_size for window in found], order).stride()
    kernel = [window.kernel_size for window in found]
    grid = (*out_sites.shape, *kernel)
    inputs, inside = torch.zeros(grid, dtype=torch.int64), torch.ones(grid, dtype=torch.bool)
    for axis, window in enumerate(found):
        check_reach(window.in_size, window.before, window.after, boundary, axis, who)
        read = _read(window, boundary)
        shape = [1] * len(grid)
        shape[axis], shape[len(found) + axis] = read.shape
        inputs += in_strides[axis] * read.reshape(shape)
        inside &= (read >= 0).reshape(shape)
    outputs = out_sites.reshape(*out_sites.shape, *[1] * len(kernel)).expand(grid)
    taps = site_numbers(kernel, "row_major").expand(grid)
    return Links(outputs[inside], inputs[inside], taps[inside])


def check_linear(boundary: Boundary, who: str) -> None:
    """Raise `OptionError` unless what lies outside is linear in the samples."""
    check_boundary(boundary, who)
    if not isinstance(boundary, str) and boundary != 0:
        raise OptionError(
            f"{who}: boundary is {boundary!r}, which adds a constant to the output, and a matrix alone has none.\n"
            "  Hint: to_dense(layer, in_shape) gives the matrix and the bias."
        )


def _read(window: AxisWindow, boundary: Boundary) -> Tensor:
    """(out_size, kernel_size): the sample that each tap of each window reads, −1 where it reads zeros."""
    found = sources(window.in_size, window.before, window.after, boundary)
    samples = torch.tensor([-1 if source is None else source for source in found])
    # A transposed layer's output padding may leave room for a window more than its input has samples.
    return windows_of(samples, (window.kernel_size,), window.stride, window.dilation)[: window.out_size]
