"""Labelled files as a source: every header is looked at once, and what cannot be read is named and left out."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from lenrek.data.labels import encode_labels
from lenrek.data.shown import counted, few
from lenrek.data.source import Problem, Reader, Source
from lenrek.errors import DataError

FileKind = Literal["image", "signal"]
Progress = Callable[[int, int], None]

CAPTION = ".txt"  # rose.txt says what rose.jpg shows
PROGRESS_EVERY = 256
# Formats Pillow knows by name, but needs other programs to decode.
NOT_PIXELS = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}


@dataclass(frozen=True)
class LabelledFile:
    """A file, the name a user knows it by, and what is said of it; `split` is "" where nothing is."""

    path: Path
    name: str
    label: str
    group: str | None = None
    split: str = ""


@cache
def image_suffixes() -> frozenset[str]:
    """Endings of the files Pillow can decode by itself, lower case, with their dot."""
    from PIL import Image

    Image.init()
    suffixes = Image.registered_extensions().items()
    return frozenset(suffix for suffix, name in suffixes if name in Image.OPEN and name not in NOT_PIXELS)


def file_kind(name: str) -> FileKind | None:
    """What a file holds, by its ending.

    >>> file_kind("a.JPG"), file_kind("a.wav"), file_kind("a.txt")
    ('image', 'signal', None)
    """
    suffix = os.path.splitext(name)[1].lower()
    if suffix == ".wav":
        return "signal"
    return "image" if suffix in image_suffixes() else None


def choose_kind(names: Sequence[str], who: str) -> tuple[FileKind, list[int], list[Problem]]:
    """The kind of most of the files, which files are of it, and what is said of the others.

    Raises:
        DataError: none of the files is of a kind that can be read.
    """
    kinds = [file_kind(name) for name in names]
    counts = Counter(kind for kind in kinds if kind)
    if not counts:
        raise DataError(f"{who}: holds no image and no WAV file, only {_by_suffix(names)}.")
    kind = counts.most_common(1)[0][0]
    chosen = [index for index, other in enumerate(kinds) if other == kind]
    others = [name for name, other in zip(names, kinds, strict=True) if other != kind]
    if not others:
        return kind, chosen, []
    beside = {os.path.splitext(names[index])[0] + CAPTION for index in chosen}
    captions = [name for name in others if name in beside]
    problems = []
    if captions:
        said = f"{who}: {counted(len(captions), 'text')} beside {kind}s of the same name: captions, for searching only."
        problems.append(Problem("note", said, tuple(captions)))
    if others := [name for name in others if name not in beside]:
        said = f"{who}: {counted(len(others), 'file')} left out, the others being {kind}s: {_by_suffix(others)}."
        problems.append(Problem("skipped", said, tuple(others)))
    return kind, chosen, problems


def _by_suffix(names: Sequence[str]) -> str:
    counts = Counter(os.path.splitext(name)[1].lower() or "no ending" for name in names)
    return few([f"{number:,} × {suffix}" for suffix, number in counts.most_common()])


def file_source(
    name: str,
    kind: FileKind,
    files: Sequence[LabelledFile],
    problems: Sequence[Problem] = (),
    *,
    groups_declared: bool = False,
    strict: bool = False,
    progress: Progress | None = None,
    headers: bool = True,
) -> Source:
    """A source of the files whose header can be read.

    Args:
        problems: what was found before, said first.
        groups_declared: as in `Source`; the groups themselves are kept when every file has one.
        strict: the first damaged file is an error.
        progress: called with (files looked at, files in all).
        headers: False looks into no file: damage is met when it is decoded, sizes are 0, channels 3.
    Raises:
        DataError: no file can be read, or with `strict` one cannot.
    """
    kept: list[LabelledFile] = []
    shapes: list[tuple[int, ...]] = []
    found: list[Problem] = []
    notes: defaultdict[str, list[str]] = defaultdict(list)
    inspect = (_inspect_image if kind == "image" else _inspect_signal) if headers else _not_inspected
    for done, file in enumerate(files):
        if progress and done % PROGRESS_EVERY == 0:
            progress(done, len(files))
        try:
            shape, note = inspect(file.path)
        except DataError as error:
            if strict:
                raise
            found.append(Problem("damaged", str(error), (file.name,)))
            continue
        kept.append(file)
        shapes.append(shape)
        if note:
            notes[note].append(file.name)
    if progress:
        progress(len(files), len(files))
    if not kept:
        raise DataError(f"{name}: none of {counted(len(files), 'file')} can be read; the first: {found[0].message}")
    found += [
        Problem("converted", f"{counted(len(names), 'file')}: {note}: {few(names)}.", tuple(names))
        for note, names in notes.items()
    ]
    labels, classes = encode_labels(np.array([file.label for file in kept]), None, name)
    channels, sample_rate_hz, mixed = _most_common(kind, shapes)
    return Source(
        name=name,
        kind=kind,
        reader=_reader(kind, [file.path for file in kept]),
        names=[file.name for file in kept],
        labels=labels,
        classes=classes,
        channels=channels,
        sizes=np.array([shape[1:3] if kind == "image" else shape[1:2] for shape in shapes], dtype=np.int64),
        groups=np.array([file.group for file in kept]) if all(file.group is not None for file in kept) else None,
        groups_declared=groups_declared,
        split=np.array([file.split for file in kept]) if any(file.split for file in kept) else None,
        sample_rate_hz=sample_rate_hz,
        problems=[*problems, *found, *mixed],
    )


def _inspect_image(path: Path) -> tuple[tuple[int, ...], str | None]:
    from lenrek.data.images import inspect_image

    header = inspect_image(path)
    return (header.channels, header.height, header.width), header.note


def _inspect_signal(path: Path) -> tuple[tuple[int, ...], str | None]:
    from lenrek.data.signals import inspect_signal

    header = inspect_signal(path)
    return (header.channels, header.num_samples, header.sample_rate_hz), None


def _not_inspected(path: Path) -> tuple[tuple[int, ...], str | None]:
    return (3, 0, 0), None


def _reader(kind: FileKind, paths: list[Path]) -> Reader:
    if kind == "image":
        from lenrek.data.images import ImageReader

        return ImageReader(paths)
    from lenrek.data.signals import SignalReader

    return SignalReader(paths)


def _most_common(kind: FileKind, shapes: Sequence[tuple[int, ...]]) -> tuple[int, int | None, list[Problem]]:
    """Channels and (signals) sample rate of most files, and a note for each that is not the same in all."""
    channels = Counter(shape[0] for shape in shapes)
    problems = _mixed(channels, kind, "channels")
    if kind == "image":
        return channels.most_common(1)[0][0], None, problems
    rates = Counter(shape[2] for shape in shapes)
    return channels.most_common(1)[0][0], rates.most_common(1)[0][0], problems + _mixed(rates, kind, "Hz")


def _mixed(counts: Counter[int], kind: FileKind, unit: str) -> list[Problem]:
    if len(counts) == 1:
        return []
    listed = ", ".join(f"{counted(number, kind)} of {value} {unit}" for value, number in counts.most_common())
    return [Problem("note", f"{listed}: all are brought to {counts.most_common(1)[0][0]} {unit}.")]
