"""Operators that take features from where other tensors say: indexing, gathering, sorting, look-ups."""

from __future__ import annotations

import torch

from lenrek.explain.fields.reading import by_position
from lenrek.explain.fields.rules import Asked, all_of, rule, tensors
from lenrek.explain.fields.rules_shape import taken
from lenrek.explain.fields.span import Span, compressed, united


@rule("aten.index_select")
def _index_selected(asked: Asked) -> Span:
    span, values = asked.subject, asked.values(asked["index"])
    axis = asked["dim"] % len(span.shape)
    if values is None:  # anywhere along the axis
        return united([span.over([axis]).at(axis, 0).inserted(axis), all_of(asked.of("index"))], asked.shape)
    return span.through(axis, by_position(values, span.shape[axis]))


@rule("aten.index")
def _indexed(asked: Asked) -> Span:
    """Positions given by tensors of indices, by one or several axes at once."""
    span, indices = asked.subject, list(asked["indices"])
    values = {axis: asked.values(index) for axis, index in enumerate(indices) if index is not None}
    known = {axis: at for axis, at in values.items() if at is not None}
    if len(known) < len(values):
        return _anywhere_along(asked, span, list(values))
    (axis, at), *others = known.items()
    if not others and at.ndim == 1 and at.dtype != torch.bool:
        return span.through(axis, by_position(at % span.shape[axis], span.shape[axis]))
    picked = tuple(known.get(axis, slice(None)) for axis in range(len(indices)))
    first, last = (compressed(end.expand(span.shape)[picked]) for end in (span.first, span.last))
    return Span(asked.shape, first, last, "gathered by indices of several axes")


def _anywhere_along(asked: Asked, span: Span, axes: list[int]) -> Span:
    """Indices without values: any along these axes, and whatever the indices depend on."""
    if len(axes) > 1:
        return asked.everything(asked.shape)
    (axis,) = axes
    (index,) = tensors(asked["indices"])
    span = span.over(axes).at(axis, 0)
    for _ in index.shape:
        span = span.inserted(axis)
    return united([span, all_of(asked.span(index))], asked.shape)


@rule("aten.gather")
def _gathered(asked: Asked) -> Span:
    """Anywhere along one axis, by indices that have values of their own."""
    span, axis = asked.subject, asked["dim"] % len(asked.shape)
    span = span.over([axis]).at(axis, 0).inserted(axis)
    for other, n in enumerate(asked.shape):
        if other != axis:
            span = taken(span, other, range(n))
    return united([span, asked.of("index")], asked.shape)


@rule("aten.take_along_dim", "aten.take", "aten.grid_sampler_2d", "aten.grid_sampler_3d", "aten.max_unpool2d",
      "aten.max_unpool3d", "aten.sort", "aten.topk", "aten.bucketize")  # fmt: skip
def _anywhere(asked: Asked) -> list[Span]:
    return [asked.everything(shape) for shape in asked.shapes]


@rule("aten.embedding")
def _embedded(asked: Asked) -> Span:
    indices = asked.of("indices")
    return indices.inserted(len(indices.shape)).expanded(asked.shape)
