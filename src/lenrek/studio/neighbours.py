"""What the store holds that is like a sample, and the pictures of it."""

from __future__ import annotations

import os
import tempfile
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lenrek.data.shown import shown
from lenrek.studio.pictures import thumbnail

if TYPE_CHECKING:
    from lenrek.search.page import Pictures
    from lenrek.studio.session import Session


class Neighbours:
    """Of samples by their ids, among the rows of the session's store."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, sample: str, count: int) -> list[dict[str, Any]]:
        """The nearest rows first: path, label, similarity and the row's number.

        Raises:
            OptionError: there is no store.
            StoreError: it cannot be read, or its network is not at hand.
        """
        store, query = self._session.store, self._session.samples.original(sample)
        with tempfile.TemporaryDirectory() as folder:
            if isinstance(query, bytes):  # the store's network sees it in its own way, from the file
                path = Path(folder, "query")
                path.write_bytes(query)
                query = path
            (hits,) = store.search(query if isinstance(query, Path) else query[None], count)
        return [
            {"row": hit.id, "path": shown(hit.path), "label": hit.label, "similarity": hit.similarity} for hit in hits
        ]

    def picture(self, row: int) -> bytes | None:
        """PNG of a row's file; None where it is not there, or would lie outside of the collection."""
        rows = self._pictures.store.table.take([row], ["path", "raw_path"])
        path = self._pictures.path_of(rows[0]) if rows else None
        if path is None or not _lies_in(path, os.fsencode(str(self._pictures.root))):
            return None
        pixels = self._pictures.pixels(path)
        return None if pixels is None else thumbnail(pixels, max(pixels.shape[1:]))

    @cached_property
    def _pictures(self) -> Pictures:
        from lenrek.search.page import Pictures

        return Pictures(self._session.store)


def _lies_in(path: bytes, folder: bytes) -> bool:
    """Whether a path stays in a folder, whatever dots it holds.

    >>> _lies_in(b"/data/a/../b.png", b"/data"), _lies_in(b"/data/../etc/b.png", b"/data")
    (True, False)
    """
    return os.path.normpath(path).startswith(os.path.normpath(folder) + os.sep.encode())
