"""A store: vectors of a collection on disk, and everything that can be asked of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lenrek.data.shown import shown
from lenrek.errors import OptionError, StoreError
from lenrek.search import table
from lenrek.search.embedding import Embedder
from lenrek.search.exact import Vectors
from lenrek.search.lock import sole_writer
from lenrek.search.settings import Settings

if TYPE_CHECKING:
    from torch import nn

    from lenrek.data.source import Problem
    from lenrek.search.approximate import Approximate
    from lenrek.search.evaluation import SearchEvaluation
    from lenrek.search.hits import Hits
    from lenrek.search.indexing import Indexed
    from lenrek.search.inverted import Measured
    from lenrek.search.neighbourhood import Group, Odd
    from lenrek.training.classifier import Prediction

ABOUT, IMAGES = "about", "images"
DELETED_AT_ONCE = 10_000


class Store:
    """Made by `lenrek.index`, opened by `lenrek.open_store`.

    Attributes:
        path: folder, or the address on object storage.
        settings: the network, how it embeds, and where the samples are.
        problems: queries that could not be read in the last search.
    """

    def __init__(self, path: str | Path, model: nn.Module | None = None) -> None:
        self.path = place_of(path)
        database = table.connect(self.path)
        self.settings = read_settings(database, self.path)
        self.problems: list[Problem] = []
        self._model = model
        self._rows = table.Table(database, self.path, IMAGES)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"Store({self.path!r}, {len(self):,} vectors of {self.settings.dims})"

    @cached_property
    def embedder(self) -> Embedder:
        """The network that made the vectors.

        Raises:
            StoreError: it is another one by now, or not at hand.
        """
        network = self._model if self._model is not None else self.settings.load_network()
        found = Embedder(network, self.settings.contract, self.settings.config)
        if found.fingerprint != self.settings.fingerprint:
            raise other_network(self.path, self.settings, found.fingerprint)
        return found

    @property
    def table(self) -> table.Table:
        """The rows as LanceDB keeps them."""
        return self._rows

    def vectors(self, where: str | None = None) -> Vectors:
        """The unit vectors of the rows that `where` leaves, in memory; without a filter they are kept there."""
        if where is None:
            if getattr(self, "_loaded", (None, None))[0] != self._rows.version:
                self._loaded = (self._rows.version, self._read_vectors())
            return self._loaded[1]
        if getattr(self, "_loaded", (None, None))[0] != self._rows.version:
            return self._read_vectors(where)
        return self._loaded[1].only(np.isin(self._loaded[1].ids, self.ids(where)))

    def ids(self, where: str | None = None) -> np.ndarray:
        """Ids of the rows that `where` leaves, int64, in their order."""
        found = [batch.column(table.ROW_ID).to_numpy().astype(np.int64) for batch in self._rows.scan([], where)]
        return np.concatenate([np.empty(0, np.int64), *found])

    def vectors_of(self, ids: np.ndarray) -> Vectors:
        """The vectors of the rows with these ids, sorted, in memory."""
        dims, storage = self.settings.dims, self.settings.config.storage
        found = self._rows.take_vectors(ids, dims) if len(ids) else np.empty((0, dims), storage)
        return Vectors(ids, found)

    def _read_vectors(self, where: str | None = None) -> Vectors:
        count, dims = self._rows.count(where), self.settings.dims
        ids, found = np.empty(count, np.int64), np.empty((count, dims), self.settings.config.storage)
        done = 0
        for batch in self._rows.scan(["vector"], where):
            part = slice(done, done + batch.num_rows)
            ids[part] = batch.column(table.ROW_ID).to_numpy()
            found[part] = table.vectors_of(batch.column("vector"), dims)
            done += batch.num_rows
        return Vectors(ids, found)

    def approximate(self) -> Approximate | None:
        """The rows as the approximate index finds them, and what it does not know beside it; None without an index.

        Raises:
            StoreError: the index is damaged; `build_index` makes it anew.
        """
        from lenrek.search.approximate import open_approximate, stamp

        now = (self._rows.version, stamp(self.path))
        if getattr(self, "_indexed", (None, None))[0] != now:
            self._indexed = (now, open_approximate(self))
        return self._indexed[1]

    def build_index(self, *, recall: float | None = None, say: Any = None) -> Measured:
        """Build an index, by which `search` looks through some of the rows instead of all of them.

        For collections that are too large to be compared as a whole. Others may search and write meanwhile. Rows that
        are added later are compared one by one, until `lenrek.index` or `update` finds that they are more than 5 % and
        builds it again; rows that are removed or changed are never found as what they were.

        Args:
            recall: share of the true 100 nearest that is to be found, 0.95 where None. It is measured on rows that ask
                for the others, and as many lists are looked through as that takes.
            say: told in sentences what goes on.
        Returns:
            What was measured. More than 100 nearest are always searched exactly.
        Raises:
            OptionError: fewer than 1,000 rows, or a recall that cannot be aimed at.
            StoreError: another process is building, or the disk is full.
        """
        from lenrek.search.approximate import build_index

        return build_index(self, recall, say or (lambda sentence: None))

    def search(
        self,
        queries: Any,
        k: int = 10,
        *,
        where: str | None = None,
        unlike: Any = None,
        mean: bool = False,
        expand: int = 0,
        exact: bool = False,
    ) -> list[Hits]:
        """The k nearest rows of each query, by the cosine of the angle between vectors.

        Args:
            queries: an image file, a folder, several of them, or arrays as `Classifier.predict` takes them.
            where: an SQL condition on the columns, such as `label = 'rose' AND width > 500`.
            unlike: the same of samples that the results should not be like: the mean of their vectors is taken off.
            mean: one search by the mean of all queries, instead of one for each.
            expand: the mean of each query with its so many nearest rows is searched for instead: finds more of the same
                kind, where the first ones found are of it.
            exact: compare all rows even where there is an index. With `where`, and for k above 100, that is always so.
        Raises:
            DataError: no query can be read.
            OptionError: k below 1, or a filter that cannot be understood.
            StoreError: the network is another than the store's.
        """
        from lenrek.search.query import search

        return search(self, queries, k, where=where, unlike=unlike, mean=mean, expand=expand, exact=exact)

    def update(self, *, data: Any = None, verify: bool = False, say: Any = None) -> Indexed:
        """Add what is new in the collection, embed what has changed, remove what is gone.

        Args:
            data: where the collection is now; None is where it was.
            verify: read every file, instead of those whose size or time of change differ.
            say: told in sentences what goes on.
        """
        from lenrek.search.indexing import update

        return update(self, data=data, verify=verify, say=say)

    def evaluate(
        self,
        *,
        where: str | None = None,
        ks: tuple[int, ...] = (1, 5, 10),
        neighbours: int = 5,
        expand: int = 0,
        samples: int = 10_000,
        pixels: bool = True,
    ) -> SearchEvaluation:
        """Every labelled row searches for the others of its label: mAP, precision and recall at k, k-NN accuracy.

        Args:
            neighbours: how many vote for a row's label.
            expand: also with queries expanded by so many (see `search`).
            samples: rows that ask, evenly spaced; all are looked among.
            pixels: also by the distance between 32×32 pixels, where the files are still there.
        Raises:
            DataError: fewer than two labels.
        """
        from lenrek.search.evaluation import evaluate

        return evaluate(self, where=where, ks=ks, neighbours=neighbours, expand=expand, samples=samples, pixels=pixels)

    def duplicates(self, *, threshold: float = 0.95, where: str | None = None) -> list[Group]:
        """Groups of equal files, then of images with at least the cosine `threshold`; the most alike first."""
        from lenrek.search.neighbourhood import duplicates

        return duplicates(self, threshold=threshold, where=where)

    def outliers(self, count: int = 20, *, k: int = 5, where: str | None = None) -> list[Odd]:
        """The images that are least like their k nearest: the oddest first."""
        from lenrek.search.neighbourhood import outliers

        return outliers(self, count, k=k, where=where)

    def label_errors(self, count: int = 20, *, k: int = 10, where: str | None = None) -> list[Odd]:
        """The images most of whose k nearest agree on another label: the most denied first."""
        from lenrek.search.neighbourhood import label_errors

        return label_errors(self, count, k=k, where=where)

    def classify(self, inputs: Any, *, k: int = 5, where: str | None = None) -> list[Prediction]:
        """The label of most of the k nearest labelled rows; its share of them is the confidence."""
        from lenrek.search.neighbourhood import classify

        return classify(self, inputs, k=k, where=where)

    def remove(self, paths: Iterable[str | Path] = (), *, where: str | None = None) -> int:
        """Remove rows by their path in the store, a folder's name for all below it, or by a filter; how many.

        Raises:
            OptionError: neither is given, or a path that is not in the store.
        """
        wanted = [str(path).rstrip("/") for path in paths]
        if not wanted and where is None:
            raise OptionError("remove: nothing was said to be removed.\n  Hint: name files, or give where.")
        with sole_writer(self.path):
            found = self._rows.read(["key", "path"], where)
            keys = dict(zip(found["key"], found["path"], strict=True))
            for path in wanted:
                if not any(_lies_in(name, path) for name in keys.values()):
                    raise OptionError(f"remove: {shown(path)} is not in the store {shown(self.path)}.")
            if wanted:
                keys = {key: name for key, name in keys.items() if any(_lies_in(name, path) for path in wanted)}
            self.delete(list(keys))
        return len(keys)

    def delete(self, keys: Sequence[bytes]) -> None:
        """Remove the rows with these keys, in several steps where they are many."""
        for first in range(0, len(keys), DELETED_AT_ONCE):
            self._rows.delete(keys[first : first + DELETED_AT_ONCE])
        self._rows.tidy()


def _lies_in(name: str, path: str) -> bool:
    return name == path or name.startswith(f"{path}/")


def open_store(path: str | Path, *, model: nn.Module | None = None) -> Store:
    """The store at `path`, for searching.

    Args:
        path: a folder, or an address that LanceDB knows, such as `s3://bucket/store`.
        model: the network, where the store was made with one that lenrek cannot build by name.
    Raises:
        StoreError: there is no store, or it cannot be read.
    """
    return Store(path, model)


def place_of(path: str | Path) -> str:
    """The address of a store: as it is given on object storage, else absolute."""
    return str(path) if "://" in str(path) else os.path.abspath(os.path.expanduser(path))


def read_settings(database: Any, uri: str) -> Settings:
    """Raises:
    StoreError: there is no store.
    """
    local = "://" not in uri
    if local and not os.path.isdir(os.path.join(uri, f"{ABOUT}.lance")):
        raise StoreError(
            f"open_store: there is no store in {shown(uri)}.\n"
            f"  Hint: lenrek index DATA --model MODEL --out {shown(uri)}"
        )
    about = table.Table(database, uri, ABOUT)
    found = about.read(["name", "value"])
    return Settings.from_parts(dict(zip(found["name"], found["value"], strict=True)), uri)


def other_network(uri: str, settings: Settings, fingerprint: str) -> StoreError:
    return StoreError(
        f"{shown(uri)}: was made with another network or embedding (fingerprint {settings.fingerprint[:12]}, from "
        f"{settings.model}), and this one has {fingerprint[:12]}: their vectors cannot be compared.\n"
        f"  Hint: lenrek index DATA --model MODEL --out ANOTHER-STORE makes one with this network."
    )
