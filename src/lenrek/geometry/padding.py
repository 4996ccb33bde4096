"""Padding by name, by number or side by side, resolved to the samples added before and after each axis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from operator import index
from typing import Literal, get_args

from lenrek.errors import OptionError, ShapeError
from lenrek.geometry.axes import axes, integers, is_integer, per_axis, sizes_of

PaddingName = Literal["valid", "same", "same_upper", "same_lower", "full", "causal"]
AxisPadding = PaddingName | int | tuple[int, int]
Padding = AxisPadding | Sequence[AxisPadding]

_BY_REACH: dict[str, Callable[[int], tuple[int, int]]] = {
    "valid": lambda reach: (0, 0),
    "same": lambda reach: (reach // 2, reach - reach // 2),
    "same_upper": lambda reach: (reach // 2, reach - reach // 2),
    "same_lower": lambda reach: (reach - reach // 2, reach // 2),
    "full": lambda reach: (reach, reach),
    "causal": lambda reach: (reach, 0),
}


def resolve_padding(
    padding: Padding,
    kernel_size: Sequence[int],
    dilation: int | Sequence[int] = 1,
    *,
    who: str = "resolve_padding",
) -> tuple[tuple[int, int], ...]:
    """Samples added before and after each axis.

    With reach = dilation·(kernel_size − 1), the distance from a window's first sample to its last:

    - `valid`: 0 and 0, for in − reach outputs at stride 1.
    - `same`, `same_upper`: ⌊reach/2⌋ and ⌈reach/2⌉, for in outputs.
    - `same_lower`: ⌈reach/2⌉ and ⌊reach/2⌋, for in outputs.
    - `causal`: reach and 0, for in outputs.
    - `full`: reach and reach, for in + reach outputs.

    No name looks at the stride, because a stride always means "compute with stride 1, then keep every stride-th":
    `same` gives ⌈in/stride⌉ outputs, the first one centred where it would be without a stride. The SAME of TensorFlow
    and ONNX gives as many, but pads only max((⌈in/stride⌉ − 1)·stride + reach + 1 − in, 0) in total, so that its
    windows start later for some input sizes (kernel 3, stride 2, 8 samples: 0, 1 instead of 1, 1). To match it, pass
    the sides.

    Args:
        padding: for every axis a name or a number of samples for both sides; or a sequence with one entry per axis,
            each a name, a number, or (before, after).
        kernel_size: samples per axis; its length says how many axes there are.
        dilation: distance between the samples that one window reads.
        who: the operation an error speaks for.
    Raises:
        ShapeError: not one entry per axis.
        OptionError: unknown name, negative or fractional padding.
    Source: Dumoulin & Visin 2016, arXiv:1603.07285, §2.
    Example:
        >>> resolve_padding("same", (4, 3), dilation=(1, 2))
        ((1, 2), (2, 2))
        >>> resolve_padding(["causal", (0, 1)], (4, 3))
        ((3, 0), (0, 1))
    """
    kernel = sizes_of(kernel_size, who, "kernel_size")
    spacing = per_axis(dilation, len(kernel), who, "dilation")
    if isinstance(padding, str) or is_integer(padding):
        entries: tuple[object, ...] = (padding,) * len(kernel)
    elif isinstance(padding, Iterable):
        entries = tuple(padding)
    else:
        raise _unknown(padding, who)
    if len(entries) != len(kernel):
        message = f"{who}: padding {entries} is for {axes(len(entries))}, expected {axes(len(kernel))}."
        if len(kernel) == 1 and len(entries) == 2:
            message += f"\n  Hint: for {entries[0]} before and {entries[1]} after pass ({entries},)."
        raise ShapeError(message)
    return tuple(_sides(entry, d * (k - 1), who) for entry, k, d in zip(entries, kernel, spacing, strict=True))


def _sides(entry: object, reach: int, who: str) -> tuple[int, int]:
    """(before, after) on one axis."""
    if isinstance(entry, str):
        if entry not in _BY_REACH:
            raise _unknown(entry, who)
        return _BY_REACH[entry](reach)
    if is_integer(entry):
        sides: tuple[int, ...] = (index(entry),) * 2  # type: ignore[arg-type]
    elif isinstance(entry, Iterable):
        sides = integers(entry, who, "padding")
    else:
        raise _unknown(entry, who)
    if len(sides) != 2:
        raise ShapeError(f"{who}: padding {sides} of one axis has {len(sides)} values, expected 2: (before, after).")
    if min(sides) < 0:
        raise OptionError(
            f"{who}: padding {entry!r} is negative, expected at least 0.\n  Hint: crop the input instead."
        )
    return sides[0], sides[1]


def _unknown(padding: object, who: str) -> OptionError:
    message = (
        f"{who}: padding is {padding!r}, expected a number of samples, one of {', '.join(get_args(PaddingName))}, "
        "or for each axis one of these or (before, after)."
    )
    nearest = get_close_matches(padding.lower(), get_args(PaddingName), n=1) if isinstance(padding, str) else []
    return OptionError(message + "".join(f'\n  Hint: did you mean "{name}"?' for name in nearest))
