"""What is wrong with data that can be read: content that comes twice or contradicts itself, classes out of balance."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from lenrek.data.arrays import ArrayReader
from lenrek.data.shown import counted, few
from lenrek.data.source import Problem, Source
from lenrek.data.split import Split

IMBALANCE = 10


def check_source(source: Source, split: Split | None = None) -> list[Problem]:
    """Exact duplicates, contradicting labels and unbalanced classes.

    Two samples are duplicates when the bytes of their files, or of their arrays, are equal.

    Args:
        split: what the samples are used for; None looks at the split the source gives, if any.
    Returns:
        Problems of kind "conflict" (equal content, different labels), "duplicate" (one for those in more than one part,
        one for all), "single" (classes with one sample, or none) and "note" (the largest class has at least 10 times
        the samples of the smallest).
    Example:
        >>> from lenrek.data.arrays import array_source
        >>> x = np.array([[1, 2], [3, 4], [1, 2]], np.uint8)
        >>> [problem.message for problem in check_source(array_source("tiny", x, [0, 1, 0]))][0]
        'tiny: 1 sample repeats another exactly: x[2] = x[0].'
    """
    groups = _equal_content(source)
    parts = _parts(source, split)
    return [
        *_conflicts(source, groups),
        *_across_parts(source, groups, parts),
        *_duplicates(source, groups),
        *_balance(source),
    ]


def _equal_content(source: Source) -> list[list[int]]:
    """Groups of samples with equal content, each in the source's order."""
    if isinstance(source.reader, ArrayReader):
        x = np.ascontiguousarray(source.reader.x).reshape(len(source), -1).view(np.uint8)
        return _repeated((index, _digest(sample.data)) for index, sample in enumerate(x))
    return _equal_files(getattr(source.reader, "paths", ()))


def _equal_files(paths: Sequence[Path]) -> list[list[int]]:
    """Only files of equal length are read."""
    same_length = _repeated((index, os.stat(path).st_size) for index, path in enumerate(paths))
    return _repeated((index, _digest(_content(paths[index]))) for group in same_length for index in group)


def _content(path: Path) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.read()


def _repeated(keyed: Iterable[tuple[int, object]]) -> list[list[int]]:
    members: defaultdict[object, list[int]] = defaultdict(list)
    for index, key in keyed:
        members[key].append(index)
    return [group for group in members.values() if len(group) > 1]


def _digest(content: bytes | memoryview) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


def _conflicts(source: Source, groups: Sequence[list[int]]) -> list[Problem]:
    found = [group for group in groups if len(set(source.labels[group].tolist())) > 1]
    if not found:
        return []
    listed = [
        few([f"{source.names[index]} ({source.classes[source.labels[index]]})" for index in group], " = ")
        for group in found
    ]
    said = f"{source.name}: equal content has different labels {_times(len(found))}: {few(listed, '; ')}."
    return [Problem("conflict", said, _names(source, found))]


def _across_parts(source: Source, groups: Sequence[list[int]], parts: np.ndarray) -> list[Problem]:
    found = [group for group in groups if len({part for part in parts[group].tolist() if part}) > 1]
    if not found:
        return []
    listed = [few([f"{source.names[index]} ({parts[index]})" for index in group], " = ") for group in found]
    said = f"{source.name}: equal content lies in different parts {_times(len(found))}: {few(listed, '; ')}."
    return [Problem("duplicate", said, _names(source, found))]


def _duplicates(source: Source, groups: Sequence[list[int]]) -> list[Problem]:
    if not groups:
        return []
    extra = sum(len(group) - 1 for group in groups)
    listed = [f"{source.names[index]} = {source.names[group[0]]}" for group in groups for index in group[1:]]
    verb = "repeats" if extra == 1 else "repeat"
    said = f"{source.name}: {counted(extra, 'sample')} {verb} another exactly: {few(listed)}."
    return [Problem("duplicate", said, _names(source, groups))]


def _balance(source: Source) -> list[Problem]:
    counts = np.bincount(source.labels, minlength=len(source.classes))
    problems = []
    for number, said in ((0, "without any sample"), (1, "with one sample only")):
        names = [source.classes[label] for label in np.flatnonzero(counts == number)]
        if names:
            problems.append(Problem("single", f"{source.name}: {counted(len(names), 'class')} {said}: {few(names)}."))
    smallest, largest = int(counts.argmin()), int(counts.argmax())
    if counts[smallest] and counts[largest] >= IMBALANCE * counts[smallest]:
        said = (
            f"{source.name}: classes are out of balance: {counted(int(counts[largest]), 'sample')} of "
            f"{source.classes[largest]}, {counts[smallest]:,} of {source.classes[smallest]}."
        )
        problems.append(Problem("note", said))
    return problems


def _parts(source: Source, split: Split | None) -> np.ndarray:
    """Per sample the part it is in, "" for none."""
    if split is None:
        return source.split if source.split is not None else np.full(len(source), "")
    parts = np.full(len(source), "", dtype="U10")
    for part in ("train", "validation", "test"):
        parts[getattr(split, part)] = part
    return parts


def _names(source: Source, groups: Sequence[list[int]]) -> tuple[str, ...]:
    return tuple(source.names[index] for group in groups for index in group)


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"
