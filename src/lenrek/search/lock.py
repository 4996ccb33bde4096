"""One writer at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lenrek.data.shown import shown
from lenrek.errors import StoreError

LOCK_FILE = ".writing"


@contextmanager
def sole_writer(uri: str) -> Iterator[None]:
    """Keep other processes from writing to the store while this one does.

    The operating system lets go of the lock when a process ends, however it ends. On object storage, and where there
    are no such locks, two writers are kept apart by LanceDB alone: each change is whole, but a file both add is there
    twice.

    Raises:
        StoreError: another process writes, or the folder cannot be written to.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    if "://" in uri:
        yield
        return
    try:
        Path(uri).mkdir(parents=True, exist_ok=True)
        file = os.open(Path(uri, LOCK_FILE), os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StoreError(f"{shown(uri)}: cannot be written to: {error.strerror}.") from error
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreError(
                f"{shown(uri)}: another process is writing to it.\n  Hint: wait until it has ended; searching is free."
            ) from error
        yield
    finally:
        os.close(file)
