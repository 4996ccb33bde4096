"""What a convolution was asked to do, checked against its tensors once, before any method computes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from lenrek.errors import OptionError, ShapeError
from lenrek.geometry import Padding, per_axis, resolve_padding, windows
from lenrek.ops.tensors import autocasts

Sizes = tuple[int, ...]
INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


class Layout(NamedTuple):
    """Where the windows lie along each axis, in samples, and how channels are grouped."""

    stride: Sizes
    sides: tuple[tuple[int, int], ...]
    dilation: Sizes
    groups: int

    @property
    def ndim(self) -> int:
        return len(self.stride)

    def without_padding(self) -> Layout:
        return self._replace(sides=((0, 0),) * self.ndim)

    def extents(self, kernel: Sequence[int]) -> list[int]:
        """Samples from the first that a window covers to the last: dilation·(kernel − 1) + 1."""
        return [d * (k - 1) + 1 for d, k in zip(self.dilation, kernel, strict=True)]

    def out_size(self, in_size: Sequence[int], kernel: Sequence[int]) -> list[int]:
        """Windows per axis, known to fit."""
        rows = zip(in_size, self.sides, self.extents(kernel), self.stride, strict=True)
        return [(n + before + after - extent) // s + 1 for n, (before, after), extent, s in rows]


def read_layout(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: int | Sequence[int],
    padding: Padding,
    dilation: int | Sequence[int],
    groups: int,
    channel_axis: int,
    who: str,
) -> Layout:
    """Check what every convolution asks for, transposed or not, and resolve it per axis.

    Args:
        channel_axis: the axis of weight that counts the channels of x: 1 forward (of each group), 0 transposed.
    """
    ndim = weight.ndim - 2
    if ndim < 1:
        raise ShapeError(
            f"{who}: weight {shape(weight)} has {weight.ndim} axes, "
            "expected at least 3: (out_channels, in_channels/groups, *kernel_size)."
        )
    if x.ndim not in (ndim + 1, ndim + 2):
        raise ShapeError(
            f"{who}: x {shape(x)} has {x.ndim} axes, but weight {shape(weight)} is for {ndim}-D, expected "
            f"{ndim + 2}: (batch, in_channels, *in_size), or {ndim + 1} without the batch."
        )
    check_types(x, weight, bias, who)
    if not isinstance(groups, int) or isinstance(groups, bool) or groups < 1:
        raise OptionError(f"{who}: groups is {groups!r}, expected an integer of at least 1.")
    _check_channels(x.shape[-ndim - 1], weight, bias, groups, channel_axis, who, shape(x))
    kernel = weight.shape[2:]
    if min(kernel) < 1:
        raise ShapeError(f"{who}: weight {shape(weight)} has an empty kernel, expected at least 1 sample on each axis.")
    spacing = per_axis(dilation, ndim, who, "dilation")
    return Layout(
        per_axis(stride, ndim, who, "stride"), resolve_padding(padding, kernel, spacing, who=who), spacing, groups
    )


def check_fit(x: Tensor, kernel: Sequence[int], layout: Layout, who: str) -> None:
    """Raise the `ShapeError` that shows the arithmetic, where a window does not fit into the padded input."""
    in_size = x.shape[-layout.ndim :]
    for n, extent, (before, after) in zip(in_size, layout.extents(kernel), layout.sides, strict=True):
        if n < 1 or n + before + after < extent:
            windows(in_size, kernel, padding=layout.sides, dilation=layout.dilation, who=who)


def check_types(x: Tensor, weight: Tensor, bias: Tensor | None, who: str) -> None:
    """Refuse what would be computed in a type nobody asked for; under autocast PyTorch casts by itself."""
    for name, tensor in (("x", x), ("weight", weight), ("bias", bias)):
        if tensor is None:
            continue
        if not (tensor.is_floating_point() or tensor.is_complex() or tensor.dtype in INTEGERS):
            raise OptionError(
                f"{who}: {name} is {tensor.dtype}, expected a floating, complex or integer type.\n"
                f"  Hint: pass {name}.to(torch.uint8) for counts, {name}.float() for values."
            )
        both_integers = x.dtype in INTEGERS and tensor.dtype in INTEGERS  # all are summed in int64
        if tensor.dtype != x.dtype and not both_integers and not autocasts(x):
            raise OptionError(
                f"{who}: x is {x.dtype}, but {name} is {tensor.dtype}, expected the same type.\n"
                f"  Hint: pass {name}.to({x.dtype}), or x.to({tensor.dtype})."
            )


def shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape)


def _check_channels(
    channels: int, weight: Tensor, bias: Tensor | None, groups: int, channel_axis: int, who: str, given: Sizes
) -> None:
    first, per_group = weight.shape[:2]
    if first % groups or not first:
        raise ShapeError(
            f"{who}: weight {shape(weight)} has {first} channels first, expected a multiple of groups={groups}."
        )
    if channel_axis == 1:
        expected, sum_, outputs = groups * per_group, f"{groups} · {per_group}", first
    else:
        expected, sum_, outputs = first, f"{first}", groups * per_group
    if channels != expected:
        message = (
            f"{who}: x has {channels} channels, but weight {shape(weight)} with groups={groups} "
            f"expects {sum_}{f' = {expected}' if channel_axis == 1 else ''}.\n"
            f"  x: {given} = ({'batch, ' if len(given) == weight.ndim else ''}in_channels, *in_size)"
        )
        if channel_axis == 1 and per_group and channels % per_group == 0 and first % (channels // per_group) == 0:
            kind = "a depthwise" if per_group == 1 else "this grouped"
            message += f"\n  Hint: for {kind} convolution pass groups={channels // per_group}."
        raise ShapeError(message)
    if bias is not None and shape(bias) != (outputs,):
        raise ShapeError(f"{who}: bias {shape(bias)}, expected one value per output channel: ({outputs},).")
