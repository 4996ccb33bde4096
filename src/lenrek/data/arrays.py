"""Arrays as a source: which axis means what, and values brought to uint8, int16 or float32.

The axes of x, the first of which counts the samples:

| shape | read as |
|---|---|
| (n, a) | signals of one channel |
| (n, a, b) | grey images |
| (n, a, b, c), c in 1, 3, 4 | images, channels last (a fourth channel, alpha, is dropped) |
| (n, c, a, b), c in 1, 3 | images, channels first |
| (n, a, b, c) otherwise | volumes of one channel |
| (n, a, b, d, c), c in 1, 3 | volumes, channels last |
| (n, c, a, b, d) otherwise | volumes, channels first |
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lenrek.data.labels import encode_labels
from lenrek.data.shown import counted
from lenrek.data.source import Kind, Problem, Source
from lenrek.errors import DataError
from lenrek.models.contract import InputContract

CHUNK_VALUES = 1 << 24


class ArrayReader:
    """Samples that are already in memory.

    Attributes:
        x: (n, channels, *size), uint8, int16 or float32.
    """

    def __init__(self, x: np.ndarray) -> None:
        self.x = x

    def read(self, index: int, contract: InputContract) -> np.ndarray:
        """Sample `index`, brought to the contract's channels and size."""
        from lenrek.data.fit import fit_sample

        return fit_sample(self.x[index], contract)


def array_source(
    name: str,
    x: Any,
    y: Any,
    *,
    classes: Sequence[str] | None = None,
    groups: Any = None,
    split: np.ndarray | None = None,
    names: Sequence[str] | None = None,
    say_axes: bool = True,
) -> Source:
    """A source from arrays of samples and labels, read by the axis rule at the top of this file.

    Values: uint8 stays, and so does int16 for signals; True/False become 255/0; whole numbers within 0–255 become
    uint8; other uint16 are divided by 257 (except signals); whole numbers within int16 become that (signals);
    everything else becomes float32.

    Args:
        x: (n, …) samples; anything NumPy makes an array of numbers from.
        y: (n,) labels; see `encode_labels`.
        classes: the name of each label.
        groups: (n,) ids that a split keeps together.
        split: (n,) of "train", "validation", "test" or "".
        names: per sample; "x[17]" where None.
        say_axes: note in the problems how the axes were read; False where the format itself says it.
    Raises:
        DataError: lengths that differ, shapes or dtypes with no meaning here, NaN or infinity.
    Example:
        >>> source = array_source("noise", np.zeros((4, 5, 6)), [0, 1, 1, 0])
        >>> source.kind, source.channels, source.sizes[0], source.reader.x.dtype
        ('image', 1, array([5, 6]), dtype('float32'))
    """
    x, y = as_array(x, "x", name), as_array(y, "y", name)
    if x.ndim == 0 or y.ndim == 0 or len(x) != len(y):
        raise DataError(f"{name}: x has {_length(x)}, but y has {_length(y)}: one label per sample is expected.")
    if x.size == 0:
        raise DataError(f"{name}: x has shape {x.shape}, which holds no values.")
    names = [f"x[{index}]" for index in range(len(x))] if names is None else names
    labels, class_names = encode_labels(y, classes, name)
    problems: list[Problem] = []
    kind, x, axes = _arrange(x, name, problems)
    if say_axes:
        problems.append(Problem("note", f"{name}: x is read as {axes}."))
    x = compact_values(x, kind, names, name, problems)
    if groups is not None:
        groups = as_array(groups, "groups", name)
        if groups.shape != (len(x),):
            raise DataError(f"{name}: groups have shape {groups.shape}, but one per sample, ({len(x)},), is expected.")
    return Source(
        name=name,
        kind=kind,
        reader=ArrayReader(x),
        names=names,
        labels=labels,
        classes=class_names,
        channels=x.shape[1],
        sizes=np.broadcast_to(np.array(x.shape[2:], dtype=np.int64), (len(x), x.ndim - 2)),
        groups=groups,
        groups_declared=groups is not None,
        split=split,
        problems=problems,
    )


def as_array(values: Any, what: str, who: str) -> np.ndarray:
    """`values` as one array of real numbers (of numbers or strings, where `what` is not "x")."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise DataError(f"{who}: {what} is not one array: {error}.") from error
    kinds, expected = ("biuf", "real numbers") if what == "x" else ("biufUS", "numbers or strings")
    if array.dtype.kind not in kinds:
        raise DataError(f"{who}: {what} has dtype {array.dtype}, but {expected} are expected.")
    return array


def _length(array: np.ndarray) -> str:
    return counted(len(array), "sample") if array.ndim else "no axis of samples"


def _arrange(x: np.ndarray, who: str, problems: list[Problem]) -> tuple[Kind, np.ndarray, str]:
    """What x holds, the same as (n, channels, *size), and how its axes were read."""
    given = x.shape
    kind: Kind
    if x.ndim == 2:
        kind, x, axes = "signal", x[:, None], "n, samples"
    elif x.ndim == 3:
        kind, x, axes = "image", x[:, None], "n, height, width"
    elif x.ndim == 4 and x.shape[-1] in (1, 3, 4):
        kind, axes = "image", "n, height, width, channels"
        if x.shape[-1] == 4:
            problems.append(Problem("converted", f"{who}: the fourth channel of x, taken for alpha, is dropped."))
        x = np.moveaxis(x[..., :3], -1, 1)
    elif x.ndim == 4 and x.shape[1] in (1, 3):
        kind, axes = "image", "n, channels, height, width"
    elif x.ndim == 4:
        kind, x, axes = "volume", x[:, None], "n, depth, height, width"
    elif x.ndim == 5 and x.shape[-1] in (1, 3):
        kind, x, axes = "volume", np.moveaxis(x, -1, 1), "n, depth, height, width, channels"
    elif x.ndim == 5:
        kind, axes = "volume", "n, channels, depth, height, width"
    else:
        raise DataError(
            f"{who}: x has shape {given}, but signals (n, samples), "
            "images (n, height, width[, channels]) or volumes (n[, channels], depth, height, width) are expected."
        )
    size = "×".join(str(samples) for samples in x.shape[2:])
    return kind, x, f"({axes}) = {given}: {counted(len(x), kind)} of {size}, {counted(x.shape[1], 'channel')}"


def compact_values(x: np.ndarray, kind: Kind, names: Sequence[str], who: str, problems: list[Problem]) -> np.ndarray:
    """The same values as uint8, int16 or float32, contiguous; what was rescaled is added to `problems`."""
    if x.dtype == np.uint8 or (x.dtype == np.int16 and kind == "signal"):
        return np.ascontiguousarray(x)
    if x.dtype == np.bool_:
        return np.ascontiguousarray(x) * np.uint8(255)
    if x.dtype.kind == "f":
        return _finite_float32(x, names, who)
    low, high = int(x.min()), int(x.max())
    if low >= 0 and high <= 255:
        return np.ascontiguousarray(x, dtype=np.uint8)
    if x.dtype == np.uint16 and kind != "signal":
        said = f"divided by 257 to 0–255 (0…{high} becomes 0…{round(high / 257)})"
        converted = np.empty(x.shape, np.uint8)
        for start, stop in _chunks(x):
            converted[start:stop] = (x[start:stop].astype(np.uint32) + 128) // 257
    elif kind == "signal" and low >= -32768 and high <= 32767:
        said, converted = "stored as int16", np.ascontiguousarray(x, dtype=np.int16)
    else:
        said, converted = "stored as float32, unscaled", np.ascontiguousarray(x, dtype=np.float32)
    problems.append(Problem("converted", f"{who}: x is {x.dtype} with values {low}…{high}: {said}."))
    return converted


def _finite_float32(x: np.ndarray, names: Sequence[str], who: str) -> np.ndarray:
    with np.errstate(over="ignore"):
        converted = np.ascontiguousarray(x, dtype=np.float32)
    for start, stop in _chunks(converted):
        damaged = np.flatnonzero(~np.isfinite(converted[start:stop]).reshape(stop - start, -1).all(axis=1))
        if len(damaged):
            first = start + int(damaged[0])
            sample = x[first]
            value = sample[~np.isfinite(converted[first])][0]
            raise DataError(
                f"{who}: {names[first]} holds {value}, but finite float32 values are expected.\n"
                f"  Hint: leave such samples out: keep = np.isfinite(x).reshape(len(x), -1).all(axis=1)."
            )
    return converted


def _chunks(x: np.ndarray) -> list[tuple[int, int]]:
    """Bounds of runs of samples small enough that a temporary of each costs little memory."""
    step = max(1, CHUNK_VALUES // max(1, x[0].size))
    return [(start, min(start + step, len(x))) for start in range(0, len(x), step)]
