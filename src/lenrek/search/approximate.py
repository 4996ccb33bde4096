"""A store's rows as they are now, searched by an index that may be older than some of them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from lenrek.errors import StoreError
from lenrek.search import table
from lenrek.search.exact import Vectors
from lenrek.search.inverted import LEAST_ROWS, LISTS_FILE, Gone, InvertedLists, Measured, folder_of, open_lists

if TYPE_CHECKING:
    from lenrek.search.store import Store

RECALL = 0.95  # of the true nearest, that an index finds where nothing else is said
STALE = 0.05  # share of the rows that the index does not know, or knows and are gone: from here it is built again
WORTH_BYTES = 250_000_000  # of vectors: from here every store gets an index


@dataclass(frozen=True)
class Approximate:
    """What `Vectors` is, where the index finds what it knows and the rest is compared one by one.

    Attributes:
        lists: the index.
        gone: rows of the index that were removed or changed since; None where there are none.
        fresh: the rows that the index does not know.
        ids: of all, the index's first.
    """

    lists: InvertedLists
    gone: Gone | None
    fresh: Vectors
    ids: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", np.concatenate([self.lists.ids, self.fresh.ids]))

    def __len__(self) -> int:
        return len(self.ids) - (0 if self.gone is None else len(self.gone))

    def nearest(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """As `Vectors.nearest`, for a k that the index was measured for: recall as it was measured then."""
        lists = self.lists.lists_for(k)
        if lists is None:
            raise ValueError(f"the index was not measured for {k} nearest")
        found = [self._nearest(query, k, lists) for query in np.ascontiguousarray(queries, np.float32)]
        width = min(k, len(self))
        places = np.array([places for places, _ in found], np.int64).reshape(len(queries), width)
        return places, np.array([cosines for _, cosines in found], np.float32).reshape(len(queries), width)

    def _nearest(self, query: np.ndarray, k: int, lists: int) -> tuple[np.ndarray, np.ndarray]:
        places, cosines = self.lists.nearest(query, k, lists, self.gone)
        if len(self.fresh):
            also, by = self.fresh.nearest(query[None], k)
            places = np.concatenate([places, also[0] + len(self.lists)])
            cosines = np.concatenate([cosines, by[0]])
        best = np.lexsort((self.ids[places], -cosines))[:k]  # of equal ones the row that comes first
        return places[best], cosines[best]

    @property
    def stale(self) -> bool:
        """Whether the index should be built again."""
        return len(self.fresh) + len(self.ids) - len(self) > STALE * len(self.ids)

    def at(self, places: np.ndarray) -> np.ndarray:
        """Unit vectors (*places.shape, dims), float32."""
        flat = places.ravel()
        known = flat < len(self.lists)
        found = np.empty((len(flat), self.lists.centres.shape[1]), np.float32)
        found[known] = self.lists.rows(flat[known]).numpy()
        found[~known] = self.fresh.at(flat[~known] - len(self.lists))
        return found.reshape(*places.shape, found.shape[1])


def open_approximate(store: Store) -> Approximate | None:
    """The rows of a store beside its index; None without one.

    Raises:
        StoreError: the index is damaged.
    """
    settings = store.settings
    lists = open_lists(store.path, settings.fingerprint, settings.dims, settings.config.storage)
    if lists is None:
        return None
    if lists.version == store.table.version:
        return Approximate(lists, None, store.vectors_of(np.empty(0, np.int64)))
    now = store.ids()
    known = np.isin(lists.ids, now, assume_unique=True)
    fresh = np.setdiff1d(now, lists.ids, assume_unique=True)
    return Approximate(lists, None if known.all() else Gone(lists, ~known), store.vectors_of(fresh))


def stamp(uri: str) -> tuple[int, int] | None:
    """What changes whenever the index of a store does."""
    try:
        found = (folder_of(uri) / LISTS_FILE).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


def build_index(store: Store, recall: float | None, say: Callable[[str], None]) -> Measured:
    """As `Store.build_index`."""
    from lenrek.search.inverted_build import build_lists
    from lenrek.search.store import IMAGES

    aimed = RECALL if recall is None else recall
    # Opened anew, so that it stays as it is while this store goes on changing.
    return build_lists(table.Table(table.connect(store.path), store.path, IMAGES), store.settings, aimed, say)


def refresh(store: Store, say: Callable[[str], None]) -> None:
    """Build the index of a store that has become large, or whose index is damaged or knows too little of it."""
    aimed = None
    try:
        found = open_approximate(store)
        if found is None:
            row_bytes = store.settings.dims * np.dtype(store.settings.config.storage).itemsize
            if len(store) * row_bytes < WORTH_BYTES:
                return
        elif not found.stale:
            return
        else:
            aimed = found.lists.aimed
    except StoreError as error:
        say(f"{error}.")
    if len(store) < LEAST_ROWS:
        drop_index(store.path)
        return
    try:
        build_index(store, aimed, say)
    except StoreError as error:  # being built by another, or no room for it: the rows are stored, and found exactly
        say(f"{error}")


def drop_index(uri: str) -> None:
    """Without an index, a store is searched exactly."""
    with suppress(FileNotFoundError):
        (folder_of(uri) / LISTS_FILE).unlink()
