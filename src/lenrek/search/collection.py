"""What is searched: files or arrays, each known by a key, and read once together with the facts about it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lenrek.data.archive import archive_stem, unpack
from lenrek.data.files import CAPTION
from lenrek.data.images import ImageReader, decode_image, image_size, read_bytes
from lenrek.data.named import NAMED
from lenrek.data.open import open_source
from lenrek.data.shown import shown
from lenrek.data.source import NDIM, Source
from lenrek.data.unlabelled import unlabelled_source
from lenrek.errors import DataError
from lenrek.models.contract import InputContract

KEY_BYTES = 16
CAPTION_BYTES = 10_000  # of a text file: what is longer is no caption, and cut


@dataclass(frozen=True)
class Facts:
    """What reading a sample tells beside its values.

    Attributes:
        digest: of its content: equal files have equal ones.
        size_bytes, modified_us: of the file; 0 for the time of what is no file. Microseconds since 1970.
        height, width: of an image as it is stored, in pixels; 0 for everything else.
    """

    digest: bytes
    size_bytes: int
    modified_us: int
    height: int
    width: int


class Collection:
    """Samples of a source, by key.

    Args:
        root: the folder that paths are relative to; None for arrays.
        labelled: whether the source's labels mean anything.
    Attributes:
        keys: per sample 16 bytes, of its path relative to `root` (of its name where there is no file).
        paths: per sample the file; None where there are no files.
    """

    def __init__(self, source: Source, root: Path | None, labelled: bool) -> None:
        self.root, self.labelled = root, labelled
        self.paths: list[Path] | None = getattr(source.reader, "paths", None) if root is not None else None
        self.reader = FactReader(source.reader, self.paths)
        self.source = replace(source, reader=self.reader)
        self._raw = [os.fsencode(os.path.relpath(path, root)) for path in self.paths or ()]
        given = self._raw if self.paths is not None else [name.encode() for name in source.names]
        self.keys = [hashlib.blake2b(name, digest_size=KEY_BYTES).digest() for name in given]

    def __len__(self) -> int:
        return len(self.source)

    def name(self, index: int) -> str:
        """The path relative to the root as printable text, or the sample's name."""
        return self.source.names[index] if self.paths is None else shown(os.fsdecode(self._raw[index]))

    def raw_path(self, index: int) -> bytes | None:
        """The relative path as the file system has it, where `name` is not the same; else None."""
        if self.paths is None or self._raw[index] == self.name(index).encode():
            return None
        return self._raw[index]

    def label(self, index: int) -> str | None:
        return self.source.classes[self.source.labels[index]] if self.labelled else None

    def caption(self, index: int) -> str | None:
        """The text beside a file, in one of the same name that ends with .txt, on one line; None without one."""
        file = None if self.paths is None else self.paths[index].with_suffix(CAPTION)
        if file is None or not file.is_file():
            return None
        try:
            with file.open("rb") as opened:
                text = opened.read(CAPTION_BYTES).decode("utf-8", "replace")
        except OSError:
            return None
        return shown(" ".join(text.split())) or None

    def part(self, index: int) -> str | None:
        return str(self.source.split[index]) or None if self.source.split is not None else None

    def state(self, index: int) -> tuple[int, int]:
        """Size in bytes and time of change in microseconds of a file, without reading it; zeros where that fails."""
        if self.paths is None:
            return 0, 0
        try:
            found = os.stat(self.paths[index])
        except OSError:
            return 0, 0
        return found.st_size, found.st_mtime_ns // 1000

    def look(self, index: int) -> Facts | None:
        """Facts from a file's bytes alone, without its size in pixels; None where it cannot be read."""
        if self.paths is None:
            return None
        try:
            content = read_bytes(self.paths[index])
            return Facts(digest_of(content), len(content), os.stat(self.paths[index]).st_mtime_ns // 1000, 0, 0)
        except (DataError, OSError):
            return None


def open_collection(data: Any, contract: InputContract, who: str) -> Collection:
    """What `lenrek.train` takes, or a folder of images without classes, or one file.

    Raises:
        DataError: nothing there, or another kind of data than the network takes.
    """
    named = isinstance(data, str) and data in NAMED
    path = Path(data).expanduser() if isinstance(data, str | Path) and not named else None
    if path is not None and not path.exists():
        open_source(data)  # says what is meant instead
    labelled = True
    try:
        source = open_source(data, headers=False)
    except DataError:
        if path is None or archive_stem(path) is not None:
            raise
        source, labelled = unlabelled_source(path, contract, who), False
    if NDIM[source.kind] != len(contract.size):
        raise DataError(
            f"{who}: {source.name} holds {source.kind}s, which are {NDIM[source.kind]}-D, but the network takes "
            f"{len(contract.size)}-D samples."
        )
    return Collection(source, None if path is None else root_of(path), labelled)


def root_of(path: Path) -> Path:
    """The folder that the paths of the data in `path` are relative to."""
    if archive_stem(path) is not None and path.is_file():
        return unpack(path).resolve()
    return (path if path.is_dir() else path.parent).resolve()


class FactReader:
    """A source's reader that also keeps the facts about every sample it has read, until they are taken."""

    def __init__(self, reader: Any, paths: list[Path] | None) -> None:
        self.inner, self.paths = reader, paths
        self.facts: dict[int, Facts] = {}

    def read(self, index: int, contract: InputContract) -> np.ndarray:
        if self.paths is None:
            sample = self.inner.read(index, contract)
            self.facts[index] = Facts(digest_of(np.ascontiguousarray(sample).data.cast("B")), sample.nbytes, 0, 0, 0)
            return sample
        path = self.paths[index]
        content = read_bytes(path)
        height = width = 0
        if isinstance(self.inner, ImageReader):
            sample = decode_image(content, path, contract)
            height, width = image_size(content)
        else:
            sample = self.inner.read(index, contract)
        modified_us = os.stat(path).st_mtime_ns // 1000
        self.facts[index] = Facts(digest_of(content), len(content), modified_us, height, width)
        return sample


def digest_of(content: bytes | memoryview) -> bytes:
    """16 bytes that are equal where the content is."""
    return hashlib.blake2b(content, digest_size=KEY_BYTES).digest()
