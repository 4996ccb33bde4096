"""The form of volumes that lie side by side in one: by concatenation, or by writing into parts of a volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lenrek.explain.fields.form import Form, union

if TYPE_CHECKING:
    from lenrek.explain.fields.span import Span


def joined_form(spans: Sequence[Span], axis: int) -> Form | str | None:
    """Along one axis, each part after the one before."""
    size = sum(span.shape[axis] for span in spans)
    offsets = [sum(span.shape[axis] for span in spans[:place]) for place in range(len(spans))]
    found: Form | str | None = None
    # The largest first: the others may be its borders.
    for span, offset in sorted(zip(spans, offsets, strict=True), key=lambda part: -part[0].shape[axis]):
        found = beside(found, placed(span.form, axis, size, offset))
    return found


def placed(form: Form | str | None, axis: int, size: int, offset: int, step: int = 1) -> Form | str | None:
    """A part's form, by the indices of a volume of `size` in which its index 0 lies at `offset`, the next `step` on."""
    if not isinstance(form, Form):
        return form
    form = form.regular(axis)
    stride = form.stride(axis) / step
    axes = (*form.axes[:axis], ((size, stride),), *form.axes[axis + 1 :])
    return replace(form, axes=axes, start=form.start - stride * offset)


def beside(one: Form | str | None, other: Form | str | None) -> Form | str | None:
    """Of two parts of a volume. One that goes on where the other ends, on a circular boundary's ring, adds none."""
    if (
        isinstance(one, Form)
        and isinstance(other, Form)
        and (one.axes, one.size) == (other.axes, other.size)
        and (one.start - other.start) % one.in_size == 0
    ):
        return one
    return union(one, other)
