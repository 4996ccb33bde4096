"""IDX files, the format of MNIST: a four-byte magic number, big-endian sizes, and the values."""

from __future__ import annotations

import gzip
import math
import re
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from lenrek.data.shown import shown
from lenrek.errors import DataError

IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MNIST_PARTS = {"train": "train", "test": "t10k"}

_IDX_NAME = re.compile(r"[-.]idx\d(-ubyte)?(\.gz)?$", re.IGNORECASE)


def is_idx_name(name: str) -> bool:
    """Whether a file is called as IDX files are.

    >>> is_idx_name("train-images-idx3-ubyte.gz"), is_idx_name("idx.png")
    (True, False)
    """
    return _IDX_NAME.search(name) is not None


def read_bytes(path: Path) -> bytes:
    """The content of a file, unpacked where its name ends in .gz.

    Raises:
        DataError: the file cannot be read, or its gzip stream is damaged or cut short.
    """
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{shown(path)}: cannot be read: {error}.") from error


def parse_idx(raw: bytes, who: str) -> np.ndarray:
    """The array an IDX file holds, in the machine's byte order.

    Raises:
        DataError: a wrong magic number, or a length other than header + Π sizes · bytes per value.
    Source: LeCun, Cortes & Burges, "The MNIST database", file format section.
    Example:
        >>> parse_idx(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]), "labels")
        array([7, 8, 9], dtype=uint8)
    """
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] not in IDX_TYPES or raw[3] == 0:
        raise DataError(
            f"{who}: starts with the bytes {raw[:4].hex(' ') or '(none)'}, but an IDX file starts with 00 00, a type "
            f"({', '.join(f'{code:02x}' for code in IDX_TYPES)}) and the number of axes (1 or more)."
        )
    dtype, ndim = np.dtype(IDX_TYPES[raw[2]]), raw[3]
    header = 4 + 4 * ndim
    if len(raw) < header:
        raise DataError(f"{who}: holds {len(raw)} bytes, but the header of {ndim} axes takes 4 + 4·{ndim} = {header}.")
    sizes = tuple(int(size) for size in np.frombuffer(raw, ">u4", ndim, 4))
    expected = header + math.prod(sizes) * dtype.itemsize
    if len(raw) != expected:
        terms = "·".join(str(size) for size in (*sizes, dtype.itemsize))
        raise DataError(f"{who}: holds {len(raw):,} bytes, but its header says {header} + {terms} = {expected:,}.")
    return np.frombuffer(raw, dtype, offset=header).reshape(sizes).astype(dtype.newbyteorder("="), copy=False)


def read_idx(path: Path) -> np.ndarray:
    """The array in an IDX file, gzipped or not."""
    return parse_idx(read_bytes(path), shown(path))


def labels_beside(images: Path) -> Path | None:
    """The labels file of an images file: the same name with "labels" for "images" and one axis, gzipped or not.

    >>> labels_beside(Path("nowhere/train-images-idx3-ubyte")) is None
    True
    """
    stem = re.sub(r"idx\d", "idx1", images.name.removesuffix(".gz").replace("images", "labels"))
    candidates = (images.with_name(stem), images.with_name(stem + ".gz"))
    return next((path for path in candidates if path != images and path.is_file()), None)


def find_mnist_parts(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Which of MNIST's pairs (images, labels) a folder holds, by part: "train", "test"; dots for dashes, .gz or not.

    >>> find_mnist_parts(["t10k-labels-idx1-ubyte.gz", "t10k-images.idx3-ubyte", "more.txt"])
    {'test': ('t10k-images.idx3-ubyte', 't10k-labels-idx1-ubyte.gz')}
    """
    by_stem = {name.removesuffix(".gz").replace(".", "-"): name for name in sorted(names, reverse=True)}
    pairs = {}
    for part, prefix in MNIST_PARTS.items():
        images, labels = by_stem.get(f"{prefix}-images-idx3-ubyte"), by_stem.get(f"{prefix}-labels-idx1-ubyte")
        if images and labels:
            pairs[part] = (images, labels)
    return pairs
