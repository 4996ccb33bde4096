"""Receptive fields: the part of the input that a feature deep in a chain of layers depends on, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Protocol

from lenrek.errors import ShapeError
from lenrek.geometry.transposed import TransposedAxisWindow
from lenrek.geometry.window import AxisWindow, check_position, clip

Window = AxisWindow | TransposedAxisWindow


class Reads(Protocol):
    """Whatever reads inputs first + step·p to first + step·p + reach for its output p."""

    @property
    def first(self) -> int | Fraction: ...
    @property
    def step(self) -> int | Fraction: ...
    @property
    def reach(self) -> int | Fraction: ...


@dataclass(frozen=True)
class ReceptiveField:
    """Along one axis, feature p depends on inputs from start + stride·p to start + stride·p + size − 1, and no others.

    The interval runs from the first input reached to the last; dilation may leave holes in it, the border of the input
    may cut it. After a transposed layer the numbers are fractions: they bound what a feature depends on, and features
    that differ in their phase reach different inputs within the bounds; `reached_inputs` lists them one by one.

    Attributes:
        size: inputs from the first to the last, both counted.
        stride: distance in inputs between the fields of neighbouring features (also called jump).
        start: position of feature 0's first input; negative in the padding.
    """

    size: Fraction = Fraction(1)
    stride: Fraction = Fraction(1)
    start: Fraction = Fraction(0)

    def through(self, window: Reads) -> ReceptiveField:
        """The field of the features that `window` computes from features with this field.

        Source: Araujo, Norris & Sim 2019, doi:10.23915/distill.00021.
        Example:
            >>> from lenrek.geometry.window import windows
            >>> (first,), (second,) = (windows((n,), 3, stride=2, padding=1) for n in (7, 4))  # two layers
            >>> field = ReceptiveField().through(first).through(second)
            >>> str(field.size), str(field.stride), str(field.start), str(field.centre(0))
            ('7', '4', '-3', '0')
        """
        return ReceptiveField(
            size=self.size + window.reach * self.stride,
            stride=self.stride * window.step,
            start=self.start + window.first * self.stride,
        )

    def union(self, other: ReceptiveField) -> ReceptiveField:
        """The field where two branches meet, by sum or by concatenation.

        Raises:
            ShapeError: the branches' strides differ, so that their features do not lie side by side.
        Example:
            >>> wide, narrow = ReceptiveField(Fraction(9), start=Fraction(-4)), ReceptiveField(start=Fraction(1))
            >>> wide.union(narrow) == wide
            True
        """
        if self.stride != other.stride:
            raise ShapeError(
                f"ReceptiveField.union: branches with strides {self.stride} and {other.stride}, expected equal strides."
            )
        start = min(self.start, other.start)
        end = max(self.start + self.size, other.start + other.size)
        return ReceptiveField(end - start, self.stride, start)

    def centre(self, p: int) -> Fraction:
        """The input position in the middle of feature p's field."""
        return self.start + self.stride * p + (self.size - 1) / 2


def receptive_field(chain: Sequence[Window]) -> ReceptiveField:
    """The field of the last layer's features, along one axis.

    Args:
        chain: the layers' windows, first layer first; an empty chain is the input itself.
    Raises:
        ShapeError: a layer's input is not the size of the output before it.
    Example:
        >>> from lenrek.geometry.window import windows
        >>> conv, pool = windows((8,), 3)[0], windows((6,), 2, stride=2)[0]
        >>> str(receptive_field([conv, pool, windows((3,), 3)[0]]).size)
        '8'
    """
    _check_chain(chain, "receptive_field")
    field = ReceptiveField()
    for window in chain:
        field = field.through(window)
    return field


def reached_inputs(chain: Sequence[Window], p: int) -> tuple[int, ...]:
    """Every input that feature `p` of the last layer depends on, in order: holes, borders and phases included.

    Args:
        chain: the layers' windows along one axis, first layer first, at least one.
        p: position of the feature.
    Raises:
        ShapeError: no such feature, no layer, or a layer's input is not the size of the output before it.
    Example: stacked dilated layers leave holes where the dilation exceeds the field so far.
        >>> from lenrek.geometry.window import windows
        >>> reached_inputs([windows((9,), 2)[0], windows((8,), 2, dilation=4)[0]], 0)
        (0, 1, 4, 5)
    """
    if not chain:
        raise ShapeError("reached_inputs: the chain is empty, expected at least one layer.")
    _check_chain(chain, "reached_inputs")
    check_position(p, chain[-1].out_size, "reached_inputs", "output")
    positions = {p}
    for window in reversed(chain):
        positions = {i for q in positions for i in clip(window.reads(q), window.in_size)}
    return tuple(sorted(positions))


def _check_chain(chain: Sequence[Window], who: str) -> None:
    for layer, (before, after) in enumerate(pairwise(chain)):
        if before.out_size != after.in_size:
            raise ShapeError(
                f"{who}: layer {layer} has {before.out_size} outputs, "
                f"but layer {layer + 1} expects {after.in_size} inputs."
            )
