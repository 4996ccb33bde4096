"""Archives of data, unpacked once into the cache folder, and never outside it."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import IO

from lenrek.data.cache import cache_folder
from lenrek.data.shown import shown
from lenrek.errors import DataError

SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip")
COPY_BYTES = 1 << 20


def archive_stem(path: Path) -> str | None:
    """The name without the archive's ending; None for what is no archive.

    >>> archive_stem(Path("flowers.tar.gz")), archive_stem(Path("flowers.npz"))
    ('flowers', None)
    """
    lowered = path.name.lower()
    return next((path.name[: -len(suffix)] for suffix in SUFFIXES if lowered.endswith(suffix)), None)


def unpack(path: Path, *, sha256: str | None = None) -> Path:
    """The folder with the archive's content, in the cache; unpacked now if this archive never was.

    The same archive is known again by its path, size and time of change. Its files are written beside and the folder
    renamed when complete, so that an interruption leaves nothing half unpacked. Links are replaced by what they point
    to within the archive.

    Args:
        sha256: of the archive itself, checked before it is unpacked.
    Raises:
        DataError: the archive is not the expected one, is damaged or cut short, the disk is full, or a member would be
            written outside the folder (absolute, "..", a link to elsewhere) or is a device.
    """
    try:
        state = path.stat()
        key = f"{path.resolve()}\0{state.st_size}\0{state.st_mtime_ns}"
        folder = (
            cache_folder() / "archives" / f"{archive_stem(path)}-{hashlib.sha256(os.fsencode(key)).hexdigest()[:16]}"
        )
        if folder.is_dir():
            return folder
        if sha256:
            _check_sha256(path, sha256)
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=folder.parent))
    except OSError as error:
        raise DataError(f"{shown(path)}: cannot be unpacked: {error}.") from error
    try:
        for name, content in _members(path):
            target = beside / _inside(name, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            with open(target, "wb") as file:
                shutil.copyfileobj(content, file, COPY_BYTES)
        _rename(beside, folder)
    # RuntimeError: a ZIP with a password, or packed in a way that Python cannot unpack.
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise DataError(f"{shown(path)}: cannot be unpacked: {error}.") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def _check_sha256(path: Path, sha256: str) -> None:
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise DataError(
            f"{shown(path)}: is not the published archive: SHA-256 {found[:12]}…, but {sha256[:12]}… is expected.\n"
            "  Hint: delete it and fetch it again."
        )


def _rename(beside: Path, folder: Path) -> None:
    try:
        beside.rename(folder)
    except OSError:
        if not folder.is_dir():  # else another process unpacked the same archive meanwhile
            raise


def _members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Name and content of each file, in the order of the archive."""
    if path.name.lower().endswith(".zip"):
        with zipfile.ZipFile(path) as zipped:
            for entry in zipped.infolist():
                if stat.S_ISLNK(entry.external_attr >> 16):
                    raise DataError(f"{shown(path)}: holds a link, {shown(entry.filename)!r}; files are expected.")
                if not entry.is_dir():
                    with zipped.open(entry) as content:
                        yield entry.filename, content
        return
    with tarfile.open(path) as tarred:
        for member in tarred:
            if member.isdir():
                continue
            content = _content(tarred, member, path)
            with content:
                yield member.name, content


def _content(tarred: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> IO[bytes]:
    try:
        content = tarred.extractfile(member)  # a link gives the content of the member it points to
    except KeyError:
        content = None
    if content is None:
        what = (
            f"a link to {shown(member.linkname)!r}, which is no file in it"
            if member.linkname
            else "no file, nor a folder"
        )
        raise DataError(f"{shown(path)}: its member {shown(member.name)!r} is {what}: not unpacked.")
    return content


def _inside(name: str, path: Path) -> PurePath:
    """The member's path, certainly relative and downwards; no links are ever written, so its words can be trusted."""
    parts = PurePath(name)
    if parts.anchor or ".." in parts.parts or "\0" in name or not parts.parts:
        raise DataError(f"{shown(path)}: its member {shown(name)!r} would be written outside its folder: not unpacked.")
    return parts
