"""One writer at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lenrek.data.shown import shown
from lenrek.errors import StoreError

WRITING, BUILDING = ".writing", ".building"


@contextmanager
def sole_writer(uri: str) -> Iterator[None]:
    """Keep other processes from writing to the store while this one does.

    The operating system lets go of the lock when a process ends, however it ends. On object storage, and where there
    are no such locks, two writers are kept apart by LanceDB alone: each change is whole, but a file both add is there
    twice.

    Raises:
        StoreError: another process writes, or the folder cannot be written to.
    """
    with _alone(
        None if "://" in uri else Path(uri),
        WRITING,
        "another process is writing to it.\n  Hint: wait until it has ended; searching is free.",
    ):
        yield


@contextmanager
def sole_builder(folder: Path) -> Iterator[None]:
    """Keep other processes from building an index in `folder`; searching and writing go on.

    Raises:
        StoreError: another process builds, or the folder cannot be written to.
    """
    with _alone(folder, BUILDING, "another process is building the index.\n  Hint: wait until it has ended."):
        yield


@contextmanager
def _alone(folder: Path | None, name: str, otherwise: str) -> Iterator[None]:
    if folder is None:
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StoreError(f"{shown(folder)}: cannot be written to: {error.strerror}.") from error
    try:
        _lock(file, f"{shown(folder)}: {otherwise}")
        yield
    finally:
        os.close(file)


def _lock(file: int, otherwise: str) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise StoreError(otherwise) from error
