"""LanceDB as the store sees it: tables of a database in a folder or on object storage, changed in whole steps.

Every change is one new version of a table, which exists completely or not at all: a process that is killed leaves the
last good version, and readers keep the version they opened.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lenrek.data.shown import shown
from lenrek.errors import OptionError, StoreError

if TYPE_CHECKING:
    import pyarrow as pa

ROW_ID = "_rowid"
SCAN_ROWS = 8192
MANY_FRAGMENTS = 64  # files of a table: more of them slow every look at it down


def connect(uri: str) -> Any:
    """The database at `uri`.

    Raises:
        StoreError: LanceDB is not installed, or the place cannot be reached.
    """
    os.environ.setdefault("LANCEDB_LOG", "error")  # its warnings are about its own development
    try:
        import lancedb
    except ImportError as error:
        raise StoreError(
            "a store needs lancedb, which is not installed.\n  Hint: pip install 'lenrek[search]'"
        ) from error
    # Engines fork a process that has nothing to do with the store.
    warnings.filterwarnings("ignore", "lancedb fork support is experimental", RuntimeWarning)
    try:
        return lancedb.connect(uri)
    except (OSError, ValueError, RuntimeError) as error:
        raise StoreError(f"{shown(uri)}: cannot be opened: {first_line(error)}.") from error


class Table:
    """Rows of a LanceDB table.

    Args:
        uri: of the database, for error messages.
    """

    def __init__(self, database: Any, uri: str, name: str) -> None:
        self.uri = uri
        try:
            self.inner = database.open_table(name)
        except Exception as error:  # LanceDB raises whatever its layers below do
            raise StoreError(f"{shown(uri)}: its table {name} cannot be opened: {first_line(error)}.") from error

    def __len__(self) -> int:
        return self.inner.count_rows()

    @property
    def version(self) -> int:
        return self.inner.version

    @property
    def schema(self) -> pa.Schema:
        return self.inner.schema

    def count(self, where: str | None) -> int:
        if where is None:
            return len(self)
        checked = checked_filter(where)
        return self._tried(where, lambda: self.inner.count_rows(checked))

    def scan(self, columns: Sequence[str], where: str | None = None) -> Iterator[pa.RecordBatch]:
        """Batches of some columns and `_rowid`, in the order of the rows, in bounded memory.

        Raises:
            OptionError: `where` cannot be understood.
            StoreError: the rows cannot be read.
        """
        query = self.inner.search().with_row_id(True).select([*columns] or [ROW_ID])
        if where is not None:
            query = query.where(checked_filter(where))
        yield from self._tried(where, lambda: query.to_batches(SCAN_ROWS))

    def read(self, columns: Sequence[str], where: str | None = None) -> dict[str, list[Any]]:
        """Columns as lists, `_rowid` among them."""
        found: dict[str, list[Any]] = {name: [] for name in [*columns, ROW_ID]}
        for batch in self.scan(columns, where):
            for name in found:
                found[name] += batch.column(name).to_pylist()
        return found

    def take(self, ids: Sequence[int], columns: Sequence[str]) -> list[dict[str, Any]]:
        """Some columns of the rows with these ids, in this order."""
        wanted = sorted(set(map(int, ids)))
        if not wanted:
            return []
        found = self._tried(
            None, lambda: self.inner.take_row_ids(wanted).select([*columns]).with_row_id().to_arrow().to_pylist()
        )
        rows = {row.pop(ROW_ID): row for row in found}
        return [rows[int(one)] for one in ids]

    def take_vectors(self, ids: np.ndarray, dims: int) -> np.ndarray:
        """The vectors (ids, dims) of the rows with these ids, which are sorted and each there once."""
        found = self._tried(
            None, lambda: self.inner.take_row_ids(ids.tolist()).select(["vector"]).with_row_id().to_arrow()
        )
        order = np.argsort(found.column(ROW_ID).to_numpy())
        return vectors_of(found.column("vector"), dims)[order]

    def append(self, rows: pa.Table) -> None:
        """Add rows, all or none."""
        self._changed(lambda: self.inner.add(rows))

    def replace(self, rows: pa.Table) -> None:
        """Put rows in the place of those with the same key, and add the others; all or none."""
        merge = self.inner.merge_insert("key").when_matched_update_all().when_not_matched_insert_all()
        self._changed(lambda: merge.execute(rows))

    def delete(self, keys: Sequence[bytes]) -> None:
        """Remove the rows with these keys, all or none."""
        if keys:
            listed = ", ".join(f"X'{key.hex()}'" for key in keys)
            self._changed(lambda: self.inner.delete(f"key IN ({listed})"))

    def tidy(self) -> None:
        """Join small files that many changes have left; what they hold stays the same."""
        if self.inner.stats()["fragment_stats"]["num_small_fragments"] > MANY_FRAGMENTS:
            self._changed(self.inner.optimize)

    def _tried(self, where: str | None, ask: Any) -> Any:
        try:
            return ask()
        except (ValueError, RuntimeError, OSError) as error:
            if where is not None:
                raise _no_filter(where, first_line(error)) from error
            raise StoreError(f"{shown(self.uri)}: cannot be read: {first_line(error)}.") from error

    def _changed(self, change: Any) -> None:
        try:
            change()
        except (ValueError, RuntimeError, OSError) as error:
            raise StoreError(
                f"{shown(self.uri)}: cannot be written: {first_line(error)}.\n"
                "  What was stored before is kept; the same command continues from there."
            ) from error


def checked_filter(where: str) -> str:
    """`where`, certainly one expression: whatever follows a semicolon would silently not count.

    >>> checked_filter("label = 'a;b' AND width > 500")
    "label = 'a;b' AND width > 500"
    """
    if not where.strip():
        raise _no_filter(where, "it is empty")
    bare = re.sub(r"'(?:[^']|'')*'", "", where)
    if ";" in bare or "--" in bare or "/*" in bare or "\0" in where:
        raise _no_filter(where, "it holds more than one expression")
    return where


def _no_filter(where: str, reason: str) -> OptionError:
    return OptionError(
        f"search: where is {shown(where)!r}, which is no filter: {shown(reason)}.\n"
        "  Hint: an SQL condition on the columns path, label, caption, part, width, height, size_bytes, modified: "
        "label = 'rose' AND width > 500."
    )


def first_line(error: BaseException) -> str:
    """The first line of another library's message, without its final stop."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return re.sub(r",? ?(at )?/\S+\.rs:\S+", "", lines[0]).rstrip(". ")


def vectors_of(column: pa.Array, dims: int) -> np.ndarray:
    """A column of vectors as (rows, dims), without a copy where Arrow allows it."""
    flat = column.combine_chunks() if hasattr(column, "combine_chunks") else column
    return flat.flatten().to_numpy(zero_copy_only=False).reshape(-1, dims)
