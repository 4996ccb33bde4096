"""What lies outside an axis: for every position beyond the samples, the sample it repeats, or none."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from numbers import Real
from typing import Literal, NamedTuple, get_args

from lenrek.errors import OptionError, ShapeError

BoundaryName = Literal["zeros", "reflect", "symmetric", "replicate", "circular"]
Boundary = BoundaryName | float

_SOURCE: dict[str, Callable[[int, int], int]] = {
    "reflect": lambda i, n: i if 0 <= i < n else -i if i < 0 else 2 * (n - 1) - i,
    "symmetric": lambda i, n: i if 0 <= i < n else -1 - i if i < 0 else 2 * n - 1 - i,
    "replicate": lambda i, n: min(max(i, 0), n - 1),
    "circular": lambda i, n: i % n,
}


class Run(NamedTuple):
    """`length` neighbouring positions that repeat the samples start, start + step, …; step is −1, 0 or 1."""

    start: int
    length: int
    step: int


def check_boundary(boundary: object, who: str = "check_boundary", *, also: tuple[str, ...] = ()) -> Boundary:
    """The boundary itself, if it is a known name or a number (every outside sample has that value).

    Args:
        also: names that mean something to `who` alone.
    Raises:
        OptionError: anything else.
    Example:
        >>> check_boundary("reflect"), check_boundary(0.5)
        ('reflect', 0.5)
    """
    names = (*get_args(BoundaryName), *also)
    if boundary in names or (isinstance(boundary, Real) and not isinstance(boundary, bool)):
        return boundary  # type: ignore[return-value]
    message = f"{who}: boundary is {boundary!r}, expected one of {', '.join(names)}, or a number."
    if boundary == "constant":
        raise OptionError(f"{message}\n  Hint: for a constant boundary pass the number itself, as boundary=0.5.")
    aliases = {"zero": "zeros", "wrap": "circular", "edge": "replicate", "nearest": "replicate", "periodic": "circular"}
    guess = str(boundary).lower()
    nearest = [aliases[guess]] if guess in aliases else get_close_matches(guess, names, n=1)
    raise OptionError(message + "".join(f'\n  Hint: did you mean "{name}"?' for name in nearest))


def check_reach(size: int, before: int, after: int, boundary: Boundary, axis: int, who: str) -> None:
    """Raise `ShapeError` where a mirror would need samples from beyond the other end of the axis.

    `replicate` and `circular` reach as far as wanted, `symmetric` up to `size`, `reflect` up to `size − 1`.
    """
    if boundary not in ("reflect", "symmetric"):
        return
    most, sum_ = (size - 1, f"{size} − 1 = {size - 1}") if boundary == "reflect" else (size, f"{size}")
    if max(before, after) > most:
        raise ShapeError(
            f'{who}: on axis {axis} padding ({before}, {after}) with boundary="{boundary}" needs at least as many '
            f"samples to mirror, but {size} samples give {sum_}.\n"
            '  Hint: boundary="circular" and boundary="replicate" reach as far as wanted.'
        )


def sources(size: int, before: int, after: int, boundary: Boundary) -> list[int | None]:
    """For each position −before … size + after − 1 the sample found there; None where none is (zeros or a number).

    Example:
        >>> sources(3, 2, 1, "reflect")
        [2, 1, 0, 1, 2, 1]
        >>> sources(3, 1, 1, "zeros")
        [None, 0, 1, 2, None]
    """
    positions = range(-before, size + after)
    if isinstance(boundary, str) and boundary in _SOURCE:
        return [_SOURCE[boundary](i, size) for i in positions]
    return [i if 0 <= i < size else None for i in positions]


def runs(size: int, before: int, after: int, boundary: BoundaryName) -> list[Run]:
    """`sources` of a boundary that repeats samples, as few runs as they form.

    Example:
        >>> runs(4, 2, 3, "reflect")
        [Run(start=2, length=2, step=-1), Run(start=0, length=4, step=1), Run(start=2, length=3, step=-1)]
    """
    ends = {
        "reflect": (Run(before, before, -1), Run(size - 2, after, -1)),
        "symmetric": (Run(before - 1, before, -1), Run(size - 1, after, -1)),
        "replicate": (Run(0, before, 0), Run(size - 1, after, 0)),
    }
    if boundary in ends:
        first, last = ends[boundary]
        found = [first, Run(0, size, 1), last]
    else:
        found, position = [], -before
        while position < size + after:
            start = position % size
            length = min(size - start, size + after - position)
            found.append(Run(start, length, 1))
            position += length
    return [run for run in found if run.length]
