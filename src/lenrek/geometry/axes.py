"""One integer per axis, from what a user wrote: a number for every axis, or a sequence of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import index

from lenrek.errors import OptionError, ShapeError


def per_axis(value: int | Sequence[int], ndim: int, who: str, name: str, *, minimum: int = 1) -> tuple[int, ...]:
    """Spread an int over `ndim` axes, or check that a sequence has one integer for each.

    Args:
        value: an integer (Python's, NumPy's or a 0-d integer tensor), or a sequence of `ndim` of them.
        ndim: number of axes, at least 1.
        who: the operation an error speaks for.
        name: what `value` is to that operation, such as "stride".
        minimum: the smallest value allowed on any axis.
    Raises:
        ShapeError: not one value per axis.
        OptionError: not integers, or below `minimum`.
    Example:
        >>> per_axis(2, 3, "correlate", "stride")
        (2, 2, 2)
        >>> per_axis([2, 1], 2, "correlate", "stride")
        (2, 1)
    """
    if is_integer(value):
        values = (index(value),) * ndim  # type: ignore[arg-type]
    elif isinstance(value, Iterable) and not isinstance(value, str):
        values = integers(value, who, name)
        if len(values) != ndim:
            raise ShapeError(f"{who}: {name} {values} is for {axes(len(values))}, expected {axes(ndim)}.")
    else:
        raise OptionError(f"{who}: {name} is {value!r}, expected an integer, or one per axis ({ndim}).")
    for axis, n in enumerate(values):
        if n < minimum:
            raise OptionError(f"{who}: {name} {values} is {n} on axis {axis}, expected at least {minimum}.")
    return values


def sizes_of(value: Sequence[int], who: str, name: str) -> tuple[int, ...]:
    """Sizes that themselves say how many axes there are, so that an int would be ambiguous.

    Raises:
        OptionError: not a sequence of integers.
        ShapeError: no axis, or a size below 1.
    Example:
        >>> sizes_of([3, 5], "correlate", "in_size")
        (3, 5)
    """
    if not isinstance(value, Iterable) or isinstance(value, str):
        raise OptionError(f"{who}: {name} is {value!r}, expected a sequence with one size per axis.")
    sizes = integers(value, who, name)
    if not sizes or min(sizes) < 1:
        raise ShapeError(f"{who}: {name} is {sizes}, expected at least 1 axis and at least 1 sample on each.")
    return sizes


def integers(values: Iterable[int], who: str, name: str) -> tuple[int, ...]:
    """Plain ints; `OptionError` naming the first entry that is not a whole number."""
    entries = tuple(values)
    for entry in entries:
        if not is_integer(entry):
            raise OptionError(f"{who}: {name} {entries} holds {entry!r}, expected integers only.")
    return tuple(index(entry) for entry in entries)


def is_integer(value: object) -> bool:
    """Whether Python would take `value` as an index; True and False are answers to another question.

    >>> is_integer(3), is_integer(3.0), is_integer(True)
    (True, False, False)
    """
    if isinstance(value, bool):
        return False
    try:
        index(value)  # type: ignore[arg-type]
    except TypeError:
        return False
    return True


def axes(count: int) -> str:
    """A count of axes in words: "1 axis", "3 axes"."""
    return "1 axis" if count == 1 else f"{count} axes"
