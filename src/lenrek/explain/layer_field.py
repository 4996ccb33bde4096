"""What one layer sees: a formula for all of its features, and the exact box of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import ceil, floor
from typing import Any, Literal

import torch
from torch import Tensor

from lenrek.errors import OptionError
from lenrek.explain.fields.span import Span

Kind = Literal["regular", "whole", "part", "none", "irregular", "unknown"]


@dataclass(frozen=True)
class AxisField:
    """The receptive field of a layer's features along one axis of an input, in input samples.

    Attributes:
        kind: "regular": each feature's field is its neighbour's moved by `stride`; "whole": every feature sees the
            whole axis; "part": every feature sees the same part; "none": no feature depends on the input; "irregular"
            and "unknown": see `reason`.
        size: from the first input of a field to the last, both counted.
        stride: between the fields of neighbouring features (also called jump); negative where they run backwards.
        start: position of the first input of feature 0's field; negative in the padding.
        bound: whether single features see less of the field, each its own part, as after upsampling.
        reason: why there is no such formula. Boxes of single features are exact for "irregular" all the same.
    """

    kind: Kind
    size: Fraction | None = None
    stride: Fraction | None = None
    start: Fraction | None = None
    bound: bool = False
    reason: str = ""

    @property
    def centre(self) -> Fraction | None:
        """The middle of feature 0's field; feature p's lies p strides further."""
        return None if self.size is None or self.start is None else self.start + (self.size - 1) / 2

    def to_dict(self) -> dict[str, Any]:
        numbers = {"size": self.size, "stride": self.stride, "start": self.start, "centre": self.centre}
        told: dict[str, Any] = {name: _number(value) for name, value in numbers.items() if value is not None}
        told |= {"bound": True} if self.bound else {}
        return {"kind": self.kind, **told, **({"reason": self.reason} if self.reason else {})}


@dataclass(frozen=True, eq=False)
class LayerField:
    """One layer of a network, and what its output's features see.

    Attributes:
        name: the module's path, with "#2" for its second run; an operator outside the innermost modules is named by the
            module that runs it and by PyTorch's name. "" is the network itself.
        type: of the module, or the operator's name.
        shape: of the output, the first where there are several, for a batch of one sample.
        innermost: whether no other module runs inside.
        spans: for each input and each of its axes.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    innermost: bool
    spans: tuple[tuple[Span, ...], ...]
    input_shapes: tuple[tuple[int, ...], ...]

    @cached_property
    def fields(self) -> tuple[AxisField, ...]:
        """Along each axis of the input; of several inputs one after the other."""
        return tuple(axis_field(span) for spans in self.spans for span in spans)

    def box(self, position: Sequence[int], *, clipped: bool = True, input: int = 0) -> tuple[range, ...]:
        """As `ReceptiveFields.box`."""
        index = self._index(position)
        return tuple(self._range(span, index, clipped) for span in self.spans[input])

    def reaches(self, pixel: Sequence[int], *, input: int = 0) -> tuple[range, ...]:
        """As `ReceptiveFields.reaches`."""
        reached: Tensor | None = None
        for at, span in zip(pixel, self.spans[input], strict=True):
            self._check_known(span)
            on_axis = ((span.first <= at) & (at <= span.last)).expand(self.shape)
            reached = on_axis if reached is None else reached & on_axis
        assert reached is not None
        found = []
        for axis in axes_of(self.shape) if len(self.shape) > 2 else ():
            others = [other for other in range(len(self.shape)) if other != axis]
            places = torch.nonzero(reached.any(dim=others)).flatten().tolist()
            found.append(range(places[0], places[-1] + 1) if places else range(0))
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name, "type": self.type, "output": list(self.shape),
            "fields": [field.to_dict() for field in self.fields],
        }  # fmt: skip

    def _index(self, position: Sequence[int]) -> tuple[int | None, ...]:
        """For every axis of the output; None stands for all channels."""
        sizes = self.shape[1:]
        given: list[int | None] = [*position]
        if len(given) == max(len(sizes) - 1, 0):
            given = [None, *given][: len(sizes)]
        if len(given) != len(sizes) or not all(
            at is None or 0 <= at < n for at, n in zip(given, sizes, strict=True)
        ):  # fmt: skip
            raise OptionError(
                f"receptive_field: position is {tuple(position)}, but the features of {self.name or 'the network'!r} "
                f"are {self.shape} = (batch, channels, *size): expected positions below {tuple(sizes[1:])}, or "
                f"below {tuple(sizes)} with the channel."
            )
        return (0, *given) if self.shape else ()

    def _range(self, span: Span, index: tuple[int | None, ...], clipped: bool) -> range:
        self._check_known(span)
        if clipped:
            first, last = int(_at(span.first, index).min()), int(_at(span.last, index).max())
            return range(first, last + 1) if first <= last else range(0)
        if span.form is None:
            return range(0)
        if isinstance(span.form, str):
            raise OptionError(
                f"receptive_field: the field of {self.name or 'the network'!r} has no formula without borders: "
                f"{span.form}.\n  Hint: with borders (clipped=True) it is known."
            )
        form = span.form.over([axis for axis, at in enumerate(index) if at is None])
        start = form.start + sum(form.shifted(axis, at or 0) for axis, at in enumerate(index))
        return range(ceil(start), floor(start + form.size - 1) + 1)

    def _check_known(self, span: Span) -> None:
        if span.unknown:
            raise OptionError(
                f"receptive_field: the field of {self.name or 'the network'!r} is unknown: {span.unknown}."
            )


def axis_field(span: Span) -> AxisField:
    """What can be said of all features at once."""
    form = span.form
    if span.unknown:
        return AxisField("unknown", reason=span.unknown)
    if form is None:
        return AxisField("none")
    if isinstance(form, str):
        return AxisField("irregular", reason=form)
    if form.whole:
        return AxisField("whole", Fraction(form.in_size), start=Fraction(0))
    if not form.moving:
        return AxisField("part", form.size, start=form.start, bound=form.bound)
    if len(form.moving) > 1:
        return AxisField("irregular", reason="features along one axis of the input lie along several of the output")
    (axis,) = form.moving
    form = form.regular(axis)
    if not form.moving:
        return AxisField("irregular", reason="one axis of the output goes several times along that of the input")
    return AxisField("regular", form.size, form.stride(axis), form.start, form.bound)


def axes_of(shape: Sequence[int]) -> range:
    """The axes of a volume that have positions: those after batch and channels, or the last where there are fewer."""
    return range(min(2, len(shape) - 1), len(shape)) if len(shape) else range(0)


def _at(ends: Tensor, index: tuple[int | None, ...]) -> Tensor:
    return ends[tuple(slice(None) if at is None else min(at, n - 1) for at, n in zip(index, ends.shape, strict=True))]


def _number(value: Fraction) -> int | float:
    return int(value) if value.denominator == 1 else float(value)
