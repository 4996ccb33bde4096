"""What is known of one volume: for each of its features the first and last input that it depends on, along one axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import prod

import torch
from torch import Tensor

from lenrek.explain.fields.form import Form, fixed, union
from lenrek.explain.fields.join import joined_form
from lenrek.explain.fields.reading import NOWHERE, Reading

NONE_FIRST, NONE_LAST = torch.iinfo(torch.int64).max, -1  # of a feature that depends on no input

Shape = Sequence[int]


@dataclass(frozen=True, eq=False)
class Span:
    """Along one axis of the input.

    Attributes:
        shape: of the volume.
        first, last: int64, as many axes as the volume, of size 1 along those that make no difference. Exact: borders,
            phases and holes at the ends count. A feature that depends on no input has first > last.
        form: the same without borders; None for what depends on nothing, or a sentence that says why there is none.
        unknown: an operator on the way whose reading is not known; then the rest means nothing.
    """

    shape: tuple[int, ...]
    first: Tensor
    last: Tensor
    form: Form | str | None
    unknown: str = ""

    @property
    def nothing(self) -> bool:
        """Whether no feature depends on the input."""
        return not self.unknown and self.form is None

    def through(self, axis: int, reading: Reading) -> Span:
        """What reads these features along one axis."""
        shape = (*self.shape[:axis], len(reading.table), *self.shape[axis + 1 :])
        if self.nothing:
            return nothing(shape)
        form = self.form.through(axis, reading) if isinstance(self.form, Form) else self.form
        first, last = (_gather(*ends, axis, reading.table) for ends in self._ends())
        return Span(shape, first, last, form, self.unknown)

    def over(self, axes: Shape) -> Span:
        """Every feature depends on all that lie with it along these axes, as after a sum or a norm; the shape stays."""
        axes = [axis % len(self.shape) for axis in axes]
        if not axes or self.nothing:
            return self
        form = self.form.over(axes) if isinstance(self.form, Form) else self.form
        return replace(self, first=self.first.amin(axes, True), last=self.last.amax(axes, True), form=form)

    def settled(self, in_size: int) -> Span:
        """With a form where there was none, if every feature has come to depend on the same inputs."""
        if not isinstance(self.form, str) or self.unknown or self.first.numel() > 1 or self.last.numel() > 1:
            return self
        first, last = int(self.first), int(self.last)
        return replace(self, form=fixed(self.shape, first, last, in_size))

    def prefix(self, axis: int) -> Span:
        """Every feature depends on those before it along the axis, and on itself."""
        if self.first.shape[axis] == self.last.shape[axis] == 1:
            return self
        form = "everything up to itself" if isinstance(self.form, Form) and not self.form.whole else self.form
        return replace(self, first=self.first.cummin(axis).values, last=self.last.cummax(axis).values, form=form)

    def permuted(self, axes: Shape) -> Span:
        shape = tuple(self.shape[axis] for axis in axes)
        form = self.form.permuted(axes) if isinstance(self.form, Form) else self.form
        return Span(shape, self.first.permute(*axes), self.last.permute(*axes), form, self.unknown)

    def at(self, axis: int, index: int) -> Span:
        """One index of an axis, which goes."""
        form = self.form.at(axis, index) if isinstance(self.form, Form) else self.form
        first, last = (ends.select(axis, min(index, ends.shape[axis] - 1)) for ends in (self.first, self.last))
        return Span(self.shape[:axis] + self.shape[axis + 1 :], first, last, form, self.unknown)

    def inserted(self, axis: int) -> Span:
        """A new axis of size 1."""
        return self.reshaped((*self.shape[:axis], 1, *self.shape[axis:]))

    def expanded(self, shape: Shape) -> Span:
        """Broadcast to a shape."""
        more = len(shape) - len(self.shape)
        form = self.form.expanded(self.shape, shape) if isinstance(self.form, Form) else self.form
        first, last = (ends[(None,) * more] for ends in (self.first, self.last))
        return Span(tuple(shape), first, last, form, self.unknown)

    def reshaped(self, shape: Shape) -> Span:
        """The same features in row-major order, as a volume of another shape."""
        if self.nothing:
            return nothing(shape)
        span, done = self, 0
        for before, after in _regroup(self.shape, shape):
            span = span._regrouped(done, before, after)
            done += len(after)
        return span

    def _regrouped(self, at: int, before: Shape, after: Shape) -> Span:
        """The axes from `at` on, of sizes `before`, as axes of sizes `after`."""
        if tuple(before) == tuple(after):
            return self
        form = self.form
        if isinstance(form, Form):
            form = form.regrouped(at, len(before), after)
        head, tail = self.shape[:at], self.shape[at + len(before) :]
        ends: list[Tensor] = []
        for end in (self.first, self.last):
            if prod(end.shape[at : at + len(before)]) == 1:
                ends.append(end.reshape(*end.shape[:at], *[1] * len(after), *end.shape[at + len(before) :]))
            else:
                full = end.expand(*end.shape[:at], *before, *end.shape[at + len(before) :])
                ends.append(compressed(full.reshape(*end.shape[:at], *after, *end.shape[at + len(before) :])))
        return Span((*head, *after, *tail), ends[0], ends[1], form, self.unknown)

    def _ends(self) -> tuple[tuple[Tensor, int], tuple[Tensor, int]]:
        return (self.first, NONE_FIRST), (self.last, NONE_LAST)


def nothing(shape: Shape) -> Span:
    """Of a volume that does not depend on the input."""
    ones = [1] * len(shape)
    return Span(tuple(shape), torch.full(ones, NONE_FIRST), torch.full(ones, NONE_LAST), None)


def unknown(shape: Shape, reason: str) -> Span:
    return replace(nothing(shape), form=reason, unknown=reason)


def input_itself(shape: Shape, axis: int) -> Span:
    """Of the input, along its axis `axis`."""
    n = shape[axis]
    at = torch.arange(n).reshape([n if place == axis else 1 for place in range(len(shape))])
    axes = tuple(((size, Fraction(int(place == axis))),) for place, size in enumerate(shape))
    return Span(tuple(shape), at, at, Form(axes, Fraction(1), Fraction(0), n))


def united(spans: Sequence[Span], shape: Shape) -> Span:
    """Every feature depends on those at its place in all volumes, which are broadcast to `shape`."""
    found = nothing(shape)
    for span in spans:
        if span.nothing:
            continue
        span = span.expanded(shape)
        found = Span(
            found.shape,
            torch.minimum(found.first, span.first),
            torch.maximum(found.last, span.last),
            union(found.form, span.form),
            found.unknown or span.unknown,
        )
    return found


def joined(spans: Sequence[Span], axis: int) -> Span:
    """Side by side along one axis."""
    shape = (*spans[0].shape[:axis], sum(span.shape[axis] for span in spans), *spans[0].shape[axis + 1 :])
    if all(span.nothing for span in spans):
        return nothing(shape)
    sizes = [max(span.first.shape[place] for span in spans) for place in range(len(shape))]
    ends = []
    for parts in ([span.first for span in spans], [span.last for span in spans]):
        full = [
            part.expand(*sizes[:axis], span.shape[axis], *sizes[axis + 1 :])
            for part, span in zip(parts, spans, strict=True)
        ]
        ends.append(compressed(torch.cat(full, axis)))
    reason = next((span.unknown for span in spans if span.unknown), "")
    return Span(shape, ends[0], ends[1], joined_form(spans, axis), reason)


def compressed(ends: Tensor) -> Tensor:
    """With axes along which nothing changes of size 1."""
    for axis, size in enumerate(ends.shape):
        one = ends.narrow(axis, 0, 1) if size > 1 else ends
        if size > 1 and bool((ends == one).all()):
            ends = one
    return ends


def _gather(ends: Tensor, none: int, axis: int, table: Tensor) -> Tensor:
    """The smallest (first inputs) or largest (last inputs) of what each row of the table reads."""
    if ends.shape[axis] == 1:  # alike along the axis, but for those that read nothing
        reads = (table != NOWHERE).any(1)
        if bool(reads.all()):
            return ends
        return torch.where(reads.reshape([-1 if place == axis else 1 for place in range(ends.ndim)]), ends, none)
    beyond = torch.full_like(ends.narrow(axis, 0, 1), none)
    places = torch.where(table == NOWHERE, ends.shape[axis], table)
    read = torch.cat([ends, beyond], axis).index_select(axis, places.flatten()).unflatten(axis, tuple(places.shape))
    return read.amin(axis + 1) if none == NONE_FIRST else read.amax(axis + 1)


def _regroup(before: Shape, after: Shape) -> list[tuple[list[int], list[int]]]:
    """Two shapes of one number of elements, cut into the shortest groups of equal products."""
    head, tail = 0, 0
    shorter = min(len(before), len(after))
    while tail < shorter and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    while head < shorter - tail and before[head] == after[head]:
        head += 1
    groups: list[tuple[list[int], list[int]]] = [([n], [n]) for n in before[:head]]
    middle_before, middle_after = list(before[head : len(before) - tail]), list(after[head : len(after) - tail])
    while middle_before or middle_after:
        ours, theirs = [], []
        if middle_before:
            ours.append(middle_before.pop(0))
        if middle_after:
            theirs.append(middle_after.pop(0))
        while prod(ours) != prod(theirs):
            if prod(ours) < prod(theirs):
                ours.append(middle_before.pop(0))
            else:
                theirs.append(middle_after.pop(0))
        if not middle_after or not middle_before:  # what is left is of size 1
            ours, theirs = ours + middle_before, theirs + middle_after
            middle_before, middle_after = [], []
        groups.append((ours, theirs))
    return groups + [([n], [n]) for n in before[len(before) - tail :]]
