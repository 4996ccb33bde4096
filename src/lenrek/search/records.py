"""What a row of a store holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lenrek.search.collection import KEY_BYTES, Facts

if TYPE_CHECKING:
    import pyarrow as pa

    from lenrek.search.collection import Collection
    from lenrek.search.embedding import Storage


@dataclass(frozen=True)
class Record:
    """A sample but for its vector.

    Attributes:
        key, raw_path: of `Collection`.
        path: relative to the collection's root, printable.
        label, caption, part: None where nothing says them.
    """

    key: bytes
    path: str
    raw_path: bytes | None
    label: str | None
    caption: str | None
    part: str | None
    facts: Facts


def record_of(collection: Collection, index: int, facts: Facts) -> Record:
    return Record(
        collection.keys[index],
        collection.name(index),
        collection.raw_path(index),
        collection.label(index),
        collection.caption(index),
        collection.part(index),
        facts,
    )


def schema(dims: int, storage: Storage) -> pa.Schema:
    """The columns of a store whose vectors have `dims` numbers."""
    import pyarrow as pa

    columns = [
        pa.field("key", pa.binary(KEY_BYTES), nullable=False),
        pa.field("path", pa.string()),
        pa.field("raw_path", pa.binary()),
        pa.field("label", pa.string()),
        pa.field("caption", pa.string()),
        pa.field("part", pa.string()),
        pa.field("digest", pa.binary(KEY_BYTES)),
        pa.field("size_bytes", pa.int64()),
        pa.field("modified", pa.timestamp("us", "UTC")),
        pa.field("height", pa.int32()),
        pa.field("width", pa.int32()),
        pa.field("vector", pa.list_(pa.from_numpy_dtype(np.dtype(storage)), dims)),
    ]
    return pa.schema(columns)


def rows(records: list[Record], vectors: np.ndarray, like: pa.Schema) -> pa.Table:
    """Records with their stored vectors (records, dims)."""
    import pyarrow as pa

    facts = [record.facts for record in records]
    columns = {
        "key": [record.key for record in records],
        "path": [record.path for record in records],
        "raw_path": [record.raw_path for record in records],
        "label": [record.label for record in records],
        "caption": [record.caption for record in records],
        "part": [record.part for record in records],
        "digest": [one.digest for one in facts],
        "size_bytes": [one.size_bytes for one in facts],
        "modified": [one.modified_us for one in facts],
        "height": [one.height for one in facts],
        "width": [one.width for one in facts],
    }
    arrays = [pa.array(values, like.field(name).type) for name, values in columns.items()]
    flat = pa.array(np.ascontiguousarray(vectors).reshape(-1))
    arrays.append(pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]))
    return pa.Table.from_arrays(arrays, schema=like)


def stored(vectors: np.ndarray, storage: Storage) -> np.ndarray:
    """Unit vectors in the type that is kept: int8 counts in 127ths of each vector's largest number.

    Only the direction of a vector matters, so that int8 needs no scale beside it.

    >>> stored(np.array([[0.6, -0.8]], np.float32), "int8")
    array([[  95, -127]], dtype=int8)
    """
    if storage != "int8":
        return vectors.astype(storage)
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    return np.rint(vectors * (127 / np.where(largest > 0, largest, 1))).astype(np.int8)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Stored vectors as unit vectors in float32; zeros stay zeros."""
    wide = vectors.astype(np.float32)
    length = np.linalg.norm(wide, axis=1, keepdims=True)
    return wide / np.where(length > 0, length, 1)
