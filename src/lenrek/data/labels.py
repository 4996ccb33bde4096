"""From labels as they were given (numbers or words) to class indices and class names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from lenrek.errors import DataError


def sorted_classes(names: Iterable[str]) -> tuple[str, ...]:
    """Distinct class names: by value when all are whole numbers, else as Python sorts strings (as torchvision does).

    >>> sorted_classes(["10", "9", "9"]), sorted_classes(["dog", "cat"])
    (('9', '10'), ('cat', 'dog'))
    """
    distinct = set(names)
    if all(name.isascii() and name.isdigit() for name in distinct):
        return tuple(sorted(distinct, key=lambda name: (int(name), name)))
    return tuple(sorted(distinct))


def encode_labels(y: np.ndarray, classes: Sequence[str] | None, who: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Class indices (int64) and class names.

    Whole numbers index `classes` where that is given; without it every distinct number is a class, named by its value
    and sorted by it. Words are class names, sorted by `sorted_classes`, or looked up in `classes`.

    Args:
        y: (n,) or (n, 1); whole numbers of any dtype, or strings.
        classes: the name of each index, or None.
        who: names the data in errors.
    Raises:
        DataError: labels that are missing, not whole, out of range or not among `classes`.
    Example:
        >>> encode_labels(np.array([7, 3, 7]), None, "x")
        (array([1, 0, 1]), ('3', '7'))
    """
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        hint = f"\n  Hint: for one-hot labels pass y.argmax(axis=1), {y.shape[:1]}." if y.ndim == 2 else ""
        raise DataError(f"{who}: labels have shape {y.shape}, but one label per sample, (n,), is expected.{hint}")
    if y.dtype.kind in "US":
        return _encode_words(y.astype(str), classes, who)
    whole = _whole_numbers(y, who)
    if classes is None:
        values, labels = np.unique(whole, return_inverse=True)
        return labels.astype(np.int64), tuple(str(value) for value in values)
    outside = np.flatnonzero((whole < 0) | (whole >= len(classes)))
    if len(outside):
        first = outside[0]
        raise DataError(
            f"{who}: label {whole[first]} of sample {first} is out of range: {len(classes)} classes are named, "
            f"so labels run from 0 to {len(classes)} − 1 = {len(classes) - 1} ({len(outside):,} such labels)."
        )
    return whole, tuple(classes)


def _whole_numbers(y: np.ndarray, who: str) -> np.ndarray:
    if y.dtype.kind in "bui":
        return y.astype(np.int64)
    if y.dtype.kind != "f":
        raise DataError(f"{who}: labels have dtype {y.dtype}, but whole numbers or strings are expected.")
    wrong = ~np.isfinite(y) | (y != np.trunc(y))
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise DataError(
            f"{who}: the label of sample {first} is {y[first]}, but whole numbers are expected "
            f"({wrong.sum():,} such labels)."
        )
    return y.astype(np.int64)


def _encode_words(y: np.ndarray, classes: Sequence[str] | None, who: str) -> tuple[np.ndarray, tuple[str, ...]]:
    values, labels = np.unique(y, return_inverse=True)
    names = sorted_classes(values.tolist()) if classes is None else tuple(classes)
    rank = {name: index for index, name in enumerate(names)}
    unknown = [value for value in values.tolist() if value not in rank]
    if unknown:
        raise DataError(f"{who}: label {unknown[0]!r} is not among the {len(names)} classes {', '.join(names)}.")
    return np.array([rank[value] for value in values.tolist()], dtype=np.int64)[labels], names
