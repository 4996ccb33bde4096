"""Operators that move features and compute nothing: views, slices, repetition, padding, concatenation."""

from __future__ import annotations

import torch

from lenrek.explain.fields.reading import by_padding, by_position
from lenrek.explain.fields.rules import Asked, rule, tensors
from lenrek.explain.fields.span import Span, compressed, joined


@rule("aten.clone", "aten.alias", "aten.detach", "aten.lift_fresh", "aten._to_copy", "aten.triu", "aten.tril")
def _same(asked: Asked) -> Span:
    return asked.subject


@rule("aten.copy")
def _copied(asked: Asked) -> Span:
    return asked.of("src").expanded(asked.shape)


@rule(
    "aten.view", "aten._unsafe_view", "aten.reshape", "aten._reshape_alias", "aten.unsqueeze", "aten.squeeze",
    "aten.flatten", "aten.unflatten",
)  # fmt: skip
def _reshaped(asked: Asked) -> Span | None:
    if asked.call.operator is torch.ops.aten.view.dtype:
        return None
    if asked.call.name.startswith(("aten.squeeze", "aten.unsqueeze")):  # axes of size 1 keep their places
        return _squeezed(asked)
    return asked.subject.reshaped(asked.shape)


def _squeezed(asked: Asked) -> Span:
    span, ndim = asked.subject, len(asked.subject.shape)
    if asked.call.name.startswith("aten.unsqueeze"):
        return span.inserted(asked["dim"] % (ndim + 1))
    dims = asked["dim"]
    axes = range(ndim) if dims is None else [dims % ndim] if isinstance(dims, int) else [dim % ndim for dim in dims]
    for axis in sorted(axes, reverse=True):
        if span.shape[axis] == 1:
            span = span.at(axis, 0)
    return span


@rule("aten.permute", "aten.transpose", "aten.t", "aten.movedim")
def _permuted(asked: Asked) -> Span:
    span = asked.subject
    axes = list(range(len(span.shape)))
    if asked["dims"] is not None:
        axes = [axis % len(axes) for axis in asked["dims"]]
    elif asked["dim0"] is not None:
        one, other = asked["dim0"], asked["dim1"]
        axes[one], axes[other] = axes[other], axes[one]
    else:
        axes.reverse()
    return span.permuted(axes)


@rule("aten.expand")
def _expanded(asked: Asked) -> Span:
    return asked.subject.expanded(asked.shape)


@rule("aten.slice")
def _sliced(asked: Asked) -> Span:
    span = asked.subject
    axis = asked["dim"] % len(span.shape)
    return taken(span, axis, range(span.shape[axis])[asked["start"] : asked["end"] : asked["step"]])


def taken(span: Span, axis: int, positions: range) -> Span:
    if positions == range(span.shape[axis]):
        return span
    return span.through(axis, by_position(positions, span.shape[axis]))


@rule("aten.select")
def _selected(asked: Asked) -> Span:
    span = asked.subject
    axis = asked["dim"] % len(span.shape)
    return span.at(axis, asked["index"] % span.shape[axis])


@rule(
    "aten.split", "aten.split_with_sizes", "aten.unsafe_split", "aten.unsafe_split_with_sizes", "aten.chunk",
    "aten.unsafe_chunk", "aten.split_copy", "aten.split_with_sizes_copy",
)  # fmt: skip
def _split(asked: Asked) -> list[Span]:
    span = asked.subject
    axis = asked["dim"] % len(span.shape)
    parts, start = [], 0
    for shape in asked.shapes:
        parts.append(taken(span, axis, range(start, start + shape[axis])))
        start += shape[axis]
    return parts


@rule("aten.unbind", "aten.unbind_copy")
def _unbound(asked: Asked) -> list[Span]:
    span = asked.subject
    axis = asked["dim"] % len(span.shape)
    return [span.at(axis, index) for index in range(span.shape[axis])]


@rule("aten.cat")
def _joined(asked: Asked) -> Span:
    ndim = len(asked.shape)
    spans = [asked.span(volume) for volume in tensors(asked["tensors"]) if len(volume.shape) == ndim]
    return joined(spans, asked["dim"] % ndim)


@rule("aten.stack")
def _stacked(asked: Asked) -> Span:
    axis = asked["dim"] % len(asked.shape)
    return joined([asked.span(volume).inserted(axis) for volume in tensors(asked["tensors"])], axis)


@rule("aten.flip")
def _flipped(asked: Asked) -> Span:
    span = asked.subject
    for dim in asked["dims"]:
        axis = dim % len(span.shape)
        n = span.shape[axis]
        span = span.through(axis, by_position(range(n - 1, -1, -1), n))
    return span


@rule("aten.roll")
def _rolled(asked: Asked) -> Span:
    span, dims = asked.subject, asked["dims"]
    if not dims:  # of all axes as one
        (shift,) = asked["shifts"]
        flat = span.reshaped([torch.Size(span.shape).numel()])
        return _shifted(flat, 0, shift).reshaped(span.shape)
    for shift, dim in zip(asked["shifts"], dims, strict=True):
        span = _shifted(span, dim % len(span.shape), shift)
    return span


def _shifted(span: Span, axis: int, shift: int) -> Span:
    n = span.shape[axis]
    positions = (torch.arange(n) - shift) % n
    return span.through(axis, by_position(positions, n, irregular="rolled: features from both ends lie side by side"))


@rule("aten.repeat")
def _repeated(asked: Asked) -> Span:
    span = asked.subject
    span = span.expanded((1,) * (len(asked.shape) - len(span.shape)) + span.shape)
    for axis, times in enumerate(asked["repeats"]):
        if times != 1:
            n = span.shape[axis]
            span = span.through(axis, by_position(torch.arange(n * times) % n, n, irregular="repeated side by side"))
    return span


@rule("aten.unfold")
def _unfolded(asked: Asked) -> Span:
    """A new last axis holds the positions of each window."""
    span = asked.subject
    axis, size, step = asked["dimension"] % len(span.shape), asked["size"], asked["step"]
    windows = range((span.shape[axis] - size) // step + 1)
    parts = [taken(span, axis, range(j, j + step * len(windows), step)).inserted(len(span.shape)) for j in range(size)]
    return joined(parts, len(span.shape))


@rule("aten.diagonal")
def _diagonal(asked: Asked) -> Span:
    """By doing to the first and last inputs what is done to the features."""
    span, (_, *rest) = asked.subject, asked.call.args
    ends = [asked.call.operator(end.expand(span.shape), *rest, **asked.call.kwargs) for end in (span.first, span.last)]
    return Span(asked.shape, compressed(ends[0]), compressed(ends[1]), "the diagonal of two axes")


@rule("aten.pixel_shuffle", "aten.pixel_unshuffle", "aten.channel_shuffle", "aten.native_channel_shuffle")
def _shuffled(asked: Asked) -> Span:
    span, name = asked.subject, asked.call.name
    *head, c, h, w = span.shape if name.startswith("aten.pixel") else (*span.shape, 1, 1)
    n = len(head)
    if name == "aten.pixel_shuffle":
        r = asked["upscale_factor"]
        span = span.reshaped([*head, c // r**2, r, r, h, w])
        return span.permuted([*range(n + 1), n + 3, n + 1, n + 4, n + 2]).reshaped(asked.shape)
    if name == "aten.pixel_unshuffle":
        r = asked["downscale_factor"]
        span = span.reshaped([*head, c, h // r, r, w // r, r])
        return span.permuted([*range(n + 1), n + 2, n + 4, n + 1, n + 3]).reshaped(asked.shape)
    batch, channels, *size = span.shape
    groups = asked["groups"]
    span = span.reshaped([batch, groups, channels // groups, *size])
    return span.permuted([0, 2, 1, *range(3, len(size) + 3)]).reshaped(asked.shape)


@rule("aten.constant_pad_nd", "aten.reflection_pad1d", "aten.reflection_pad2d", "aten.reflection_pad3d",
      "aten.replication_pad1d", "aten.replication_pad2d", "aten.replication_pad3d")  # fmt: skip
def _padded(asked: Asked) -> Span:
    """A negative padding cuts off."""
    span, pad = asked.subject, (asked["pad"] or asked["padding"])
    kind = asked.call.name.removeprefix("aten.").split("_")[0]
    for place in range(len(pad) // 2):
        axis, before, after = len(span.shape) - 1 - place, pad[2 * place], pad[2 * place + 1]
        n = span.shape[axis]
        at = torch.arange(-before, n + after)
        if kind == "replication":
            at = at.clamp(0, n - 1)
        elif kind == "reflection":
            at = torch.where(at < 0, -at, torch.where(at >= n, 2 * (n - 1) - at, at))
        span = span.through(axis, by_padding(before, n, at))
    return span


@rule("aten.view_as_real")
def _as_real(asked: Asked) -> Span:
    return asked.subject.inserted(len(asked.subject.shape)).expanded(asked.shape)


@rule("aten.view_as_complex")
def _as_complex(asked: Asked) -> Span:
    last = len(asked.subject.shape) - 1
    return asked.subject.over([last]).at(last, 0)
