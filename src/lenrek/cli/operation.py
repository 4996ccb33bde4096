"""What `lenrek draw` is given of an operation, as the user wrote it: numbers, sizes, padding, boundary."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lenrek.cli.subject import parse_axes
from lenrek.errors import OptionError

if TYPE_CHECKING:
    import numpy as np

WHO = "draw"
DEFAULT_SIZE = (5, 6)


def read_input(size: str | None, samples: str | None, channels: int | None, groups: int) -> tuple[Any, tuple[int, ...]]:
    """(channels, *size) as numbers where they are given, else as a shape; and that shape."""
    if samples is not None:
        for option, given in (("--input", size), ("--in-channels", channels)):
            if given is not None:
                raise OptionError(f"{WHO}: {option} {given} has no effect beside --samples.\n  Hint: leave it out.")
        found = read_numbers(samples, "--samples")
        if not found.ndim:
            raise OptionError(f"{WHO}: --samples {samples} holds a number without axes, expected (channels, *size).")
        return found, found.shape
    shape = (channels or groups, *(parse_axes(size, "--input", WHO, "x") or DEFAULT_SIZE))
    return shape, shape


def check_groups(channels: int, groups: int, option: str = "--in-channels") -> None:
    """Raise `OptionError` where they are no whole number each."""
    if channels % groups:
        raise OptionError(
            f"{WHO}: {option} {channels} in {groups} groups gives {channels}/{groups}, expected a whole number."
        )


def read_kernel(size: str, weights: str | None, ndim: int, whole: Callable[[tuple[int, ...]], tuple[int, ...]]) -> Any:
    """The weight (·, ·, *kernel_size): given, for one channel or all, or its shape."""
    if weights is None:
        return whole(read_window(size, ndim))
    found = read_numbers(weights, "--weights")
    if found.ndim == 2 == ndim:  # a single row, over an image
        found = found[None]
    return found[None] if found.ndim == ndim + 1 else found


def read_window(text: str, ndim: int) -> tuple[int, ...]:
    """The size of a kernel or window on every axis."""
    axes = _per_axis(text, "--kernel", "x", ndim)
    if len(axes) != ndim:
        raise OptionError(f"{WHO}: --kernel {text} is for {len(axes)} axes, but the input has {ndim}.")
    return axes


def read_numbers(text: str, option: str) -> np.ndarray:
    """`1,2;3,4` as (1, rows, columns), `1,2` as (1, samples); a .npy file as it is."""
    import numpy as np

    if text.endswith(".npy"):
        try:
            return np.load(text, allow_pickle=False)
        except (ValueError, EOFError):
            raise OptionError(
                f"{WHO}: {option} {text} is no NumPy file, or holds objects instead of numbers."
            ) from None
    try:
        rows = [[float(number) for number in row.split(",")] for row in text.split(";")]
        found = np.array(rows)
    except ValueError:
        raise OptionError(
            f"{WHO}: {option} is {text!r}, expected numbers joined by commas, rows of equal length by semicolons: "
            "1,2,3;4,5,6."
        ) from None
    return found if len(rows) == 1 else found[None]


def read_options(ndim: int, **texts: str | None) -> dict[str, Any]:
    """What was given of stride, padding, …, read; the rest keeps its default."""
    found: dict[str, Any] = {}
    for name, text in texts.items():
        if text is None:
            continue
        if name == "boundary":
            found[name] = _boundary(text)
        elif name == "padding":
            entries = [_sides(entry) for entry in text.split(",")]
            found[name] = entries * ndim if len(entries) == 1 else entries
        else:
            found[name] = _per_axis(text, f"--{name.replace('_', '-')}", ",", ndim)
    return found


def _per_axis(text: str, option: str, joint: str, ndim: int) -> tuple[int, ...]:
    """One number for each axis, or one for all."""
    axes = parse_axes(text, option, WHO, joint) or ()
    return axes * ndim if len(axes) == 1 else axes


def _sides(text: str) -> Any:
    """`same`, `2`, or `0+1` for before and after."""
    parts = text.split("+")
    if all(part.isdecimal() for part in parts) and len(parts) <= 2:
        return int(parts[0]) if len(parts) == 1 else (int(parts[0]), int(parts[1]))
    return text


def _boundary(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text
