"""Samples without labels, to predict on: files, folders and arrays as a source."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from lenrek.data.arrays import ArrayReader, as_array, compact_values
from lenrek.data.files import file_kind
from lenrek.data.folders import walk
from lenrek.data.images import ImageReader
from lenrek.data.npz import load_npy
from lenrek.data.shown import counted, few, shown
from lenrek.data.signals import SignalReader
from lenrek.data.source import NDIM, Kind, Problem, Reader, Source
from lenrek.errors import DataError, ShapeError
from lenrek.models.contract import InputContract

KINDS: dict[int, Kind] = {ndim: kind for kind, ndim in NDIM.items()}


def unlabelled_source(inputs: Any, contract: InputContract, who: str = "predict") -> Source:
    """A source over `inputs` whose labels mean nothing (all 0).

    Args:
        inputs: a file, a folder (the images, or else what the network is for, anywhere below it, sorted), several of
            these, or an array (n, channels, *size), (n, *size) for one channel, or (n, *size, channels). Values are
            read as `array_source` reads those of labelled arrays.
        who: the public function that asks, for its error messages.

    Raises:
        DataError: a path that does not exist, a folder without such files, or values that are no finite numbers.
        ShapeError: an array with other axes or channels than the contract.
    """
    problems: list[Problem] = []
    paths = _paths(inputs)
    if paths is None:
        x = _channels_first(as_array(inputs, "x", who), contract, who)
        names = [f"array[{i}]" for i in range(len(x))]
        if x.size:
            x = compact_values(x, KINDS[len(contract.size)], names, who, problems)
        return _source("array", names, ArrayReader(x), contract, problems)
    files = [file for path in paths for file in _files(path, KINDS[len(contract.size)], problems, who)]
    names = [str(file) for file in files]
    readers: dict[int, Callable[[list[Path]], Reader]] = {1: SignalReader, 2: ImageReader, 3: VolumeReader}
    reader = readers[len(contract.size)](files)
    return _source("files", names, reader, contract, problems)


def _paths(inputs: Any) -> list[Path] | None:
    """The files and folders that are meant; None where `inputs` are values."""
    if isinstance(inputs, str | Path):
        return [Path(inputs)]
    if isinstance(inputs, Iterable) and not hasattr(inputs, "__array__"):
        given = list(inputs)
        if all(isinstance(path, str | Path) for path in given):
            return [Path(path) for path in given]
    return None


class VolumeReader:
    """Reads one volume per `.npy` file: (depth, height, width), or with the channels first."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths

    def read(self, index: int, contract: InputContract) -> np.ndarray:
        path = self.paths[index]
        x = _channels_first(as_array(load_npy(path)[None], "x", str(path)), contract, str(path))
        return ArrayReader(compact_values(x, "volume", [path.name], str(path), [])).read(0, contract)


def _source(name: str, names: list[str], reader: Reader, contract: InputContract, problems: list[Problem]) -> Source:
    sizes = np.tile(np.array(contract.size, np.int64), (len(names), 1))
    labels = np.zeros(len(names), np.int64)
    kind = KINDS[len(contract.size)]
    return Source(
        name, kind, reader, names, labels, contract.classes, contract.channels, sizes,
        sample_rate_hz=contract.sample_rate_hz, problems=problems,
    )  # fmt: skip


def _files(path: Path, kind: Kind, problems: list[Problem], who: str) -> list[Path]:
    """`path` itself, whatever it is called, or the files of `kind` below it."""
    if not path.exists():
        near = difflib.get_close_matches(path.name, os.listdir(path.parent), n=1) if path.parent.is_dir() else []
        hint = f"\n  Hint: did you mean {shown(near[0])}?" if near else ""
        raise DataError(f"{who}: there is no {shown(path)}.{hint}")
    if not path.is_dir():
        return [path]
    tree = walk(path)
    problems += tree.problems
    wanted = [parts for parts in tree.files if _is_of(parts[-1], kind)]
    others = [shown("/".join(parts)) for parts in tree.files if not _is_of(parts[-1], kind)]
    if not wanted:
        rest = f", only {counted(len(others), 'other file')}" if others else ""
        raise DataError(f"{who}: the folder {shown(path)} holds no {kind}{rest}.")
    if others:
        said = f"{shown(path)}: {counted(len(others), 'file')} left out, not called like {kind}s: {few(others)}."
        problems.append(Problem("skipped", said, tuple(others)))
    return [path.joinpath(*parts) for parts in wanted]


def _is_of(name: str, kind: Kind) -> bool:
    return name.lower().endswith(".npy") if kind == "volume" else file_kind(name) == kind


def _channels_first(x: np.ndarray, contract: InputContract, who: str) -> np.ndarray:
    ndim, channels = len(contract.size), contract.channels
    if x.ndim == ndim + 1 and channels == 1:
        return x[:, None]
    if x.ndim == ndim + 2 and x.shape[1] == channels:
        return x
    if x.ndim == ndim + 2 and x.shape[-1] == channels:
        return np.moveaxis(x, -1, 1)
    size = ", ".join(["size"] * ndim)
    raise ShapeError(
        f"{who}: the array has shape {x.shape}, but this network takes (n, {channels}, {size}), that is "
        f"{ndim + 2} axes with {counted(channels, 'channel')}."
    )
