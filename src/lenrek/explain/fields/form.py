"""Receptive fields as one formula for all features of a volume, borders left aside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import prod

from lenrek.explain.fields.reading import Reading
from lenrek.geometry.receptive import ReceptiveField

ZERO = Fraction(0)

# How an axis of features lies on the input: (size, stride) of each of the axes that were merged into it, in row-major
# order; one pair for an axis that was never merged. Kept apart, they can be divided again.
Factors = tuple[tuple[int, Fraction], ...]


@dataclass(frozen=True)
class Form:
    """The feature at index p reads from start + Σ strides·p to start + Σ strides·p + size − 1, and nothing beyond.

    Attributes:
    axes: for each axis of the volume its factors; most strides are zero.
    size: inputs from the first to the last, both counted.
    start: position of the first input of the feature at index 0; negative in the padding.
    in_size: samples of the input along this axis.
    bound: whether features read less of it, each its own part, as after upsampling.
    """

    axes: tuple[Factors, ...]
    size: Fraction
    start: Fraction
    in_size: int
    bound: bool = False

    @cached_property
    def moving(self) -> list[int]:
        """The axes of the volume along which the fields move."""
        return [axis for axis, factors in enumerate(self.axes) if any(stride for _, stride in factors)]

    @property
    def whole(self) -> bool:
        """Whether every feature reads all of the input."""
        return not self.moving and self.start <= 0 and self.start + self.size >= self.in_size

    def stride(self, axis: int) -> Fraction:
        """Of a `regular` axis."""
        return self.axes[axis][0][1]

    def regular(self, axis: int) -> Form:
        """With one stride along an axis: exactly, or the smallest bound that has one."""
        factors = self.axes[axis]
        if len(factors) == 1:
            return self
        inner = [prod(size for size, _ in factors[place + 1 :]) for place in range(len(factors))]
        step = factors[0][1] / inner[0]
        rests = [(stride - step * n) * (size - 1) for (size, stride), n in zip(factors, inner, strict=True)]
        return replace(
            self._with(axis, ((prod(size for size, _ in factors), step),)),
            size=self.size + sum(map(abs, rests)),
            start=self.start + sum((min(rest, ZERO) for rest in rests), ZERO),
            bound=True,
        )

    def through(self, axis: int, reading: Reading) -> Form | str:
        """The form of what reads these features along `axis`."""
        out_size = len(reading.table)
        if axis not in self.moving:
            return self._with(axis, ((out_size, ZERO),))
        if reading.irregular:
            return reading.irregular
        own = self.regular(axis)
        field = ReceptiveField(own.size, own.stride(axis), own.start)
        if field.stride > 0:
            field = field.through(reading)
        else:  # the last that is read lies first
            through = field.through(replace(reading, first=reading.first + reading.reach, reach=ZERO))
            field = replace(through, size=field.size - reading.reach * field.stride)
        moved = own._with(axis, ((out_size, field.stride),))
        return replace(moved, size=field.size, start=field.start, bound=own.bound or reading.bound)

    def over(self, axes: Sequence[int]) -> Form:
        """The union over whole axes of the volume; they stay, with stride 0."""
        reaches = [stride * (size - 1) for axis in axes for size, stride in self.axes[axis]]
        still = tuple(_still(factors) if axis in axes else factors for axis, factors in enumerate(self.axes))
        start = self.start + sum((min(reach, ZERO) for reach in reaches), ZERO)
        return replace(self, axes=still, size=self.size + sum(map(abs, reaches)), start=start)

    def shifted(self, axis: int, index: int) -> Fraction:
        """How far the field at an index of an axis lies from that at index 0."""
        found = ZERO
        for size, stride in reversed(self.axes[axis]):
            index, place = divmod(index, size)
            found += stride * place
        return found

    def at(self, axis: int, index: int) -> Form:
        """One index of an axis, which goes."""
        axes = self.axes[:axis] + self.axes[axis + 1 :]
        return replace(self, axes=axes, start=self.start + self.shifted(axis, index))

    def permuted(self, axes: Sequence[int]) -> Form:
        return replace(self, axes=tuple(self.axes[axis] for axis in axes))

    def expanded(self, old: Sequence[int], new: Sequence[int]) -> Form:
        """Broadcast: new axes in front, and axes of size 1 repeated."""
        more = len(new) - len(old)
        front = tuple(((n, ZERO),) for n in new[:more])
        kept = zip(self.axes, old, new[more:], strict=True)
        return replace(self, axes=front + tuple(own if n == m else ((m, ZERO),) for own, n, m in kept))

    def regrouped(self, first: int, count: int, sizes: Sequence[int]) -> Form:
        """The `count` axes from `first` on as one, and that as axes of `sizes`."""
        factors = [factor for own in self.axes[first : first + count] for factor in own]
        form = replace(self, axes=(*self.axes[:first], tuple(factors), *self.axes[first + count :]))
        divided = _divided(factors, sizes)
        if divided is None:  # the cuts do not fall between what was merged
            form = form.regular(first)
            divided = _divided(list(form.axes[first]), sizes)
            assert divided is not None
        return replace(form, axes=(*form.axes[:first], *divided, *form.axes[first + 1 :]))

    def _with(self, axis: int, factors: Factors) -> Form:
        return replace(self, axes=(*self.axes[:axis], factors, *self.axes[axis + 1 :]))


def fixed(shape: Sequence[int], first: int, last: int, in_size: int) -> Form:
    """Of features that all read the same inputs."""
    axes = tuple(((n, ZERO),) for n in shape)
    return Form(axes, Fraction(last - first + 1), Fraction(first), in_size)


def union(one: Form | str | None, other: Form | str | None) -> Form | str | None:
    """Of two volumes of one shape; None depends on nothing, a sentence says why there is no form."""
    if one is None or other is None:
        return other if one is None else one
    for form in (one, other):
        if isinstance(form, Form) and form.whole:
            return form
    if isinstance(one, str) or isinstance(other, str):
        return one if isinstance(one, str) else other
    if one.axes != other.axes:
        ours, theirs = _spacing(one), _spacing(other)
        if ours == theirs:
            return "branches meet whose features lie in different orders"
        return f"branches meet whose features lie {ours} and {theirs}"
    start = min(one.start, other.start)
    end = max(one.start + one.size, other.start + other.size)
    return replace(one, size=end - start, start=start, bound=one.bound or other.bound)


def _divided(factors: Sequence[tuple[int, Fraction]], sizes: Sequence[int]) -> list[Factors] | None:
    """Factors shared out to axes of these sizes; None where a cut falls inside one that it does not divide."""
    left = list(factors)
    found: list[Factors] = []
    for wanted in reversed(sizes):
        taken: list[tuple[int, Fraction]] = []
        while (rest := wanted // prod(size for size, _ in taken)) > 1 and left:
            size, stride = left.pop()
            if size > rest:
                if size % rest:
                    return None
                left.append((size // rest, stride * rest))
                size = rest
            elif rest % size:
                return None
            taken.insert(0, (size, stride))
        if prod(size for size, _ in taken) != wanted:
            return None
        found.insert(0, _joined(taken) or ((1, ZERO),))
    return found


def _joined(factors: Sequence[tuple[int, Fraction]]) -> Factors:
    """With as few factors as say the same."""
    found: list[tuple[int, Fraction]] = []
    for size, stride in factors:
        if size == 1:
            continue
        if found and found[-1][1] == stride * size:
            found[-1] = (found[-1][0] * size, stride)
        else:
            found.append((size, stride))
    return tuple(found)


def _still(factors: Factors) -> Factors:
    return ((prod(size for size, _ in factors), ZERO),)


def _spacing(form: Form) -> str:
    steps = [str(stride) for factors in form.axes for _, stride in factors if stride]
    return f"{' and '.join(steps)} apart" if steps else "all on the same inputs"
