"""Samples without labels, to predict on: files, folders and arrays as a source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from lenrek.data.arrays import ArrayReader
from lenrek.data.images import ImageReader
from lenrek.data.signals import SignalReader
from lenrek.data.source import Kind, Reader, Source
from lenrek.errors import DataError, ShapeError
from lenrek.models.contract import InputContract

KINDS: dict[int, Kind] = {1: "signal", 2: "image", 3: "volume"}


def unlabelled_source(inputs: str | Path | np.ndarray | Sequence[str | Path], contract: InputContract) -> Source:
    """A source over `inputs` whose labels mean nothing (all 0).

    Args:
        inputs: a file, a folder (its files, sorted, hidden ones left out), several of these, or an array
            (n, channels, *size), (n, *size) for one channel, or (n, *size, channels).

    Raises:
        DataError: a path that does not exist, or a folder without files.
        ShapeError: an array with other axes or channels than the contract.
    """
    if isinstance(inputs, np.ndarray):
        x = _channels_first(inputs, contract)
        return _source("array", [f"array[{i}]" for i in range(len(x))], ArrayReader(x), contract)
    paths = [Path(inputs)] if isinstance(inputs, str | Path) else [Path(p) for p in inputs]
    files = [file for path in paths for file in _files(path)]
    names = [str(file) for file in files]
    reader: Reader = {1: SignalReader, 2: ImageReader, 3: VolumeReader}[len(contract.size)](files)
    return _source("files", names, reader, contract)


class VolumeReader:
    """Reads one volume per `.npy` file: (depth, height, width), or with the channels first."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths

    def read(self, index: int, contract: InputContract) -> np.ndarray:
        path = self.paths[index]
        try:
            volume = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{path}: not a readable .npy volume: {error}.") from error
        return ArrayReader(_channels_first(volume[None], contract)).read(0, contract)


def _source(name: str, names: list[str], reader: Reader, contract: InputContract) -> Source:
    sizes = np.tile(np.array(contract.size, np.int64), (len(names), 1))
    labels = np.zeros(len(names), np.int64)
    kind = KINDS[len(contract.size)]
    return Source(
        name, kind, reader, names, labels, contract.classes, contract.channels, sizes,
        sample_rate_hz=contract.sample_rate_hz,
    )  # fmt: skip


def _files(path: Path) -> Iterator[Path]:
    if not path.exists():
        raise DataError(f"predict: there is no {path}.")
    if not path.is_dir():
        yield path
        return
    files = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
    if not files:
        raise DataError(f"predict: the folder {path} holds no files.")
    yield from files


def _channels_first(x: np.ndarray, contract: InputContract) -> np.ndarray:
    ndim, channels = len(contract.size), contract.channels
    if x.ndim == ndim + 1 and channels == 1:
        return x[:, None]
    if x.ndim == ndim + 2 and x.shape[1] == channels:
        return x
    if x.ndim == ndim + 2 and x.shape[-1] == channels:
        return np.moveaxis(x, -1, 1)
    size = ", ".join(["size"] * ndim)
    raise ShapeError(
        f"predict: the array has shape {x.shape}, but this network takes (n, {channels}, {size}), that is "
        f"{ndim + 2} axes with {channels} channel{'s' * (channels > 1)}."
    )
