"""Operators that read windows: convolutions, pooling, interpolation, and windows as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from lenrek.explain.fields.reading import by_adaptive, by_interpolation, by_transposed, by_window
from lenrek.explain.fields.rules import Asked, all_of, rule
from lenrek.explain.fields.span import Span, joined, united
from lenrek.geometry.transposed import TransposedAxisWindow
from lenrek.geometry.window import AxisWindow


@rule("aten.convolution", "aten._convolution", "aten.convolution_overrideable", "aten.mkldnn_convolution")
def _convolution(asked: Asked) -> Span:
    span, groups = asked.subject, asked["groups"]
    out_channels, kernel_size = asked.shape[1], asked.call.args[1].shape[2:]
    span = _through_groups(span, groups, out_channels)
    strides, paddings, dilations = (asked[name] for name in ("stride", "padding", "dilation"))
    for place, k in enumerate(kernel_size):
        axis = 2 + place
        n, out = span.shape[axis], asked.shape[axis]
        s, p, d = (_of(values, place) for values in (strides, paddings, dilations))
        if asked["transposed"]:
            extra = _of(asked["output_padding"], place)
            reading = by_transposed(TransposedAxisWindow(AxisWindow(out, k, s, d, p, p, n), extra))
        else:
            reading = by_window(AxisWindow(n, k, s, d, p, p, out))
        span = span.through(axis, reading)
    # Weights that are made from the input (dynamic convolutions) bring what they depend on.
    return united([span, all_of(asked.of("weight")), all_of(asked.of("bias"))], asked.shape)


def _through_groups(span: Span, groups: int, out_channels: int) -> Span:
    """Each output channel depends on all input channels of its group."""
    batch, channels, *size = span.shape
    span = span.reshaped([batch, groups, channels // groups, *size]).over([2]).at(2, 0).inserted(2)
    return span.expanded([batch, groups, out_channels // groups, *size]).reshaped([batch, out_channels, *size])


@rule("aten.max_pool2d_with_indices", "aten.max_pool3d_with_indices", "aten.max_pool2d", "aten.max_pool3d",
      "aten.max_pool1d", "aten.avg_pool1d", "aten.avg_pool2d", "aten.avg_pool3d", "aten.mkldnn_max_pool2d")  # fmt: skip
def _pooling(asked: Asked) -> list[Span]:
    span, kernel_size = asked.subject, asked["kernel_size"]
    for place in range(axes := int(asked.call.name.partition("pool")[2][0])):
        axis = len(span.shape) - axes + place
        k = _of(kernel_size, place)
        s = _of(asked["stride"] or kernel_size, place)
        d = _of(asked["dilation"] or 1, place)
        p = _of(asked["padding"], place)
        span = span.through(axis, by_window(AxisWindow(span.shape[axis], k, s, d, p, p, asked.shape[axis])))
    return [span] * len(asked.shapes)  # the values, and where the largest were


@rule("aten._adaptive_avg_pool2d", "aten._adaptive_avg_pool3d", "aten.adaptive_avg_pool1d", "aten.adaptive_max_pool1d",
      "aten.adaptive_max_pool2d", "aten.adaptive_max_pool3d")  # fmt: skip
def _adaptive(asked: Asked) -> list[Span]:
    span = asked.subject
    axes = int(asked.call.name.partition("pool")[2][0])
    for axis in range(len(span.shape) - axes, len(span.shape)):
        n, out = span.shape[axis], asked.shape[axis]
        span = span.over([axis]) if out == 1 else span
        span = span.through(axis, by_adaptive(n, out))
    return [span] * len(asked.shapes)


INTERPOLATIONS = [
    f"aten.{kind}"
    for kind in (
        "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "_upsample_nearest_exact1d",
        "_upsample_nearest_exact2d", "_upsample_nearest_exact3d", "upsample_linear1d", "upsample_bilinear2d",
        "upsample_trilinear3d", "upsample_bicubic2d", "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa",
    )
]  # fmt: skip


@rule(*INTERPOLATIONS)
def _interpolation(asked: Asked) -> Span:
    span, corners = asked.subject, asked["align_corners"]
    if isinstance(asked["scale_factors"], Sequence):  # the overloads that take scales in place of sizes
        scales: list[Any] = list(asked["scale_factors"])
    else:
        names = ["scales"] if len(span.shape) == 3 else ["scales_d", "scales_h", "scales_w"][-(len(span.shape) - 2) :]
        scales = [asked[name] for name in names]
    packet = asked.call.operator.overloadpacket
    for place, scale in enumerate(scales):
        axis = 2 + place
        options = (scale,) if corners is None else (corners, scale)
        sizes = span.shape[axis], asked.shape[axis]
        span = span.through(axis, by_interpolation(packet.default, len(scales), *sizes, options))
    return span


@rule("aten.im2col")
def _columns(asked: Asked) -> Span:
    """(batch, channels · kernel positions, windows)."""
    span = asked.subject
    size = span.shape[2:]
    windows = [
        AxisWindow(n, k, s, d, p, p, (n + 2 * p - d * (k - 1) - 1) // s + 1)
        for n, k, s, d, p in zip(
            size, *(asked[name] for name in ("kernel_size", "stride", "dilation", "padding")), strict=True
        )
    ]
    for place, window in enumerate(windows):  # a new axis with the kernel's positions before each axis of windows
        axis = 2 + 2 * place
        parts = []
        for j in range(window.kernel_size):
            one = replace(window, kernel_size=1, before=window.before - j * window.dilation)
            parts.append(span.through(axis, by_window(one)).inserted(axis))
        span = joined(parts, axis)
    return span.permuted([0, 1, 2, 4, 3, 5]).reshaped(asked.shape)


@rule("aten.col2im")
def _image(asked: Asked) -> Span:
    """The adjoint of columns: each kernel position's features, put where they belong, and summed."""
    span, size = asked.subject, asked.shape[2:]
    (kh, kw), strides, dilations, paddings = (
        asked[name] for name in ("kernel_size", "stride", "dilation", "padding")
    )  # fmt: skip
    counts = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, d, p in zip(size, (kh, kw), strides, dilations, paddings, strict=True)
    ]
    span = span.reshaped([*asked.shape[:2], kh, kw, *counts])
    parts = []
    for j, i in torch.cartesian_prod(torch.arange(kh), torch.arange(kw)).tolist():
        part = span.at(2, j).at(2, i)
        for place, offset in enumerate((j, i)):
            before = paddings[place] - offset * dilations[place]
            forward = AxisWindow(size[place], 1, strides[place], 1, before, before, counts[place])
            part = part.through(2 + place, by_transposed(TransposedAxisWindow(forward, 0)))
        parts.append(part)
    return united(parts, asked.shape)


def _of(values: int | Sequence[int], place: int) -> int:
    """One value for every axis, alone or in a list, or one for each."""
    if isinstance(values, int):
        return values
    return values[place] if len(values) > 1 else values[0]
