"""From files to what is searched for: one vector each, their mean, or like some and unlike others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenrek.data.problems import sentences
from lenrek.data.shown import few, shown
from lenrek.data.source import Problem
from lenrek.data.stream import StreamedSamples
from lenrek.data.unlabelled import unlabelled_source
from lenrek.errors import DataError, OptionError, StoreError
from lenrek.search.exact import Vectors
from lenrek.search.hits import Hit, Hits

if TYPE_CHECKING:
    from lenrek.search.approximate import Approximate
    from lenrek.search.store import Store

WHO = "search"
HIT_COLUMNS = ("path", "label", "caption", "part", "width", "height")


def search(
    store: Store, queries: Any, k: int, *, where: str | None, unlike: Any, mean: bool, expand: int, exact: bool
) -> list[Hits]:
    """As `Store.search`."""
    if k < 1:
        raise OptionError(f"{WHO}: k is {k}, expected at least 1.")
    if expand < 0:
        raise OptionError(f"{WHO}: expand is {expand}, expected 0 or more.")
    names, vectors = embed(store, queries)
    if mean:
        names, vectors = [f"mean of {few(names)}"], vectors.mean(0, keepdims=True)
    if unlike is not None:
        others, away = embed(store, unlike)
        names = [f"{name}, unlike {few(others)}" for name in names]
        vectors = vectors - away.mean(0, keepdims=True)
    vectors = _checked(names, vectors)
    index = None if where is not None or exact else _index_for(store, max(k, expand))
    if index is not None:
        try:
            return _found(store, names, vectors, index, k, expand)
        except StoreError as error:
            _searched_exactly(store, error)
    return _found(store, names, vectors, store.vectors(where), k, expand)


def _found(
    store: Store, names: list[str], vectors: np.ndarray, among: Vectors | Approximate, k: int, expand: int
) -> list[Hits]:
    if expand:
        vectors = expanded(vectors, among, expand)
    places, cosines = among.nearest(vectors, k)
    return hits_of(store, names, vectors, among.ids[places], cosines)


def _index_for(store: Store, k: int) -> Approximate | None:
    try:
        found = store.approximate()
    except StoreError as error:
        _searched_exactly(store, error)
        return None
    return found if found is not None and found.lists.lists_for(k) is not None else None


def _searched_exactly(store: Store, error: StoreError) -> None:
    """A damaged index costs time, and nothing else."""
    hint = f"Hint: lenrek index approximate {shown(store.path)} builds it anew."
    store.problems = [*store.problems, Problem("note", f"{error}: all rows were compared instead.\n  {hint}")]


def embed(store: Store, inputs: Any) -> tuple[list[str], np.ndarray]:
    """Names and unit vectors of the samples that can be read; those that cannot are an error only if none can."""
    embedder = store.embedder
    source = unlabelled_source(inputs, embedder.contract, WHO)
    if not len(source):
        raise DataError(f"{WHO}: the queries are empty.")
    samples = StreamedSamples(source, embedder.contract)
    embedder.expect(len(source))
    found = [
        (batch.index, project(store, embedder(batch.x)))
        for batch in samples.batches(np.arange(len(source)), embedder.batch_size)
    ]
    if not found:
        raise DataError(f"{WHO}: no query can be read:\n" + "\n".join(sentences(source.problems)))
    index = np.concatenate([one for one, _ in found])
    store.problems = source.problems
    return [shown(source.names[i]) for i in index], np.concatenate([vectors for _, vectors in found])


def project(store: Store, vectors: Any) -> np.ndarray:
    """What the network gives, as the store keeps it: (n, dims) float32 unit vectors."""
    projection = store.settings.projection
    return (vectors if projection is None else projection(vectors)).numpy()


def expanded(vectors: np.ndarray, among: Vectors | Approximate, count: int) -> np.ndarray:
    """The mean of each unit vector and its `count` nearest rows, those weighted by their cosine.

    Source: Radenović, Tolias & Chum 2019, arXiv:1711.02512, §3.4 (weighted query expansion).
    """
    places, cosines = among.nearest(vectors, count)
    near = among.at(places)
    total = vectors + (np.maximum(cosines, 0)[:, :, None] * near).sum(1)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)


def _checked(names: list[str], vectors: np.ndarray) -> np.ndarray:
    """Unit vectors; what has no direction cannot be searched for."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    zero = np.flatnonzero(~(length[:, 0] > 1e-6))
    if len(zero):
        raise DataError(
            f"{WHO}: {names[zero[0]]}: its vector is zero or no number, so that nothing is nearer to it than anything "
            "else.\n  Hint: an image of one colour can be such; with unlike, one that is like what it should be unlike."
        )
    return (vectors / length).astype(np.float32)


def hits_of(store: Store, names: list[str], vectors: np.ndarray, ids: np.ndarray, cosines: np.ndarray) -> list[Hits]:
    """Rows of the store as hits, (queries, k)."""
    rows = store.table.take(ids.ravel().tolist(), HIT_COLUMNS)
    made = [
        Hit(similarity=float(cosine), id=int(one), **row)
        for row, cosine, one in zip(rows, cosines.ravel(), ids.ravel(), strict=True)
    ]
    width = ids.shape[1]
    return [Hits(name, tuple(made[n * width : (n + 1) * width]), vectors[n]) for n, name in enumerate(names)]
