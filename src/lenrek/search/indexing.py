"""Filling a store: every readable sample once, in steps that are each complete, whatever stops it in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from lenrek.data.named import NAMED
from lenrek.data.shown import counted, shown
from lenrek.data.source import Problem
from lenrek.data.stream import StreamedSamples
from lenrek.errors import DataError, OptionError
from lenrek.search import records, table
from lenrek.search.approximate import drop_index, refresh
from lenrek.search.collection import Collection, Facts, open_collection
from lenrek.search.embedding import Embedder, EmbeddingConfig
from lenrek.search.lock import sole_writer
from lenrek.search.projection import MOST_SAMPLES, fit_projection
from lenrek.search.query import project
from lenrek.search.settings import Settings, network_bytes
from lenrek.search.store import ABOUT, IMAGES, Store, other_network, place_of, read_settings

if TYPE_CHECKING:
    from torch import nn

    from lenrek.models.contract import InputContract

WHO = "index"
COMMIT_ROWS = 4096
COMMIT_S = 10.0  # a killed process loses at most what it did in this time

Say = Callable[[str], None]


@dataclass
class Indexed:
    """What was done.

    Attributes:
        store: the store as it is now.
        added, changed, removed, unchanged: samples.
        reused: of those added or changed, how many were known by their content (moved, copied), so that the network
            did not have to look at them.
        problems: damaged files, each named, and whatever else was found.
        seconds: all in all.
        engine: what computed, and why.
        unreadable: samples of the collection that were asked for and could not be read.
    """

    store: Store
    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    reused: int = 0
    problems: list[Problem] = field(default_factory=list)
    seconds: float = 0.0
    engine: str = ""
    unreadable: set[int] = field(default_factory=set, repr=False)

    def to_json(self) -> dict[str, Any]:
        names = ("added", "changed", "removed", "unchanged", "reused", "seconds", "engine")
        return {"store": self.store.path, "rows": len(self.store)} | {name: getattr(self, name) for name in names}


def index(
    data: Any,
    *,
    out: str | Path,
    model: str | Path | nn.Module | None = None,
    config: EmbeddingConfig | None = None,
    say: Say | None = None,
) -> Indexed:
    """A store of the vectors of all samples in `data`; one that is there already is continued.

    Every sample is added once, however often this is interrupted. Damaged files are left out and named; those that are
    gone by now stay in the store until `Store.update`.

    Args:
        data: what `lenrek.train` takes, a folder of images without classes, or one file.
        out: a folder, or an address that LanceDB knows, such as `s3://bucket/store`.
        model: a name as `lenrek.load_pretrained` takes it, or a network with its `contract`. Not needed to continue.
        config: what is taken from the network; None is the default, or that of the store.
        say: told in sentences what goes on.
    Raises:
        DataError: nothing there, or nothing that can be read.
        StoreError: the store was made with another network, cannot be written, or is being written by another process.
        OptionError: no model for a new store.
        ModelError, CheckpointError: the model.
    """
    start, say = time.perf_counter(), say or (lambda sentence: None)
    uri = place_of(out)
    with sole_writer(uri):
        database = table.connect(uri)
        network = None if model is None else _network(model)
        if _exists(database):
            done = _continued(database, uri, data, network, config, say)
        else:
            if network is None:
                raise OptionError(
                    f"{WHO}: a new store needs a model.\n  Hint: --model RUN, or --model ARCHITECTURE:FILE."
                )
            done = _begun(database, uri, data, network, _called(model), config or EmbeddingConfig(), say)
        if not len(done.store):
            raise DataError(f"{WHO}: none of the samples could be read:\n  {done.problems[-1].message}")
    refresh(done.store, say)  # when others may write again
    done.seconds = time.perf_counter() - start
    return done


def update(store: Store, *, data: Any = None, verify: bool = False, say: Say | None = None) -> Indexed:
    """As `Store.update`."""
    start, say = time.perf_counter(), say or (lambda sentence: None)
    data = data if data is not None else store.settings.data
    if data is None:
        raise OptionError(
            "update: the store was made of arrays, which are not kept.\n  Hint: pass them again, as data."
        )
    with sole_writer(store.path):
        collection = open_collection(data, store.settings.contract, "update")
        rows = _stored_states(store)
        fresh = [i for i, key in enumerate(collection.keys) if key not in rows]
        touched = [
            i
            for i, key in enumerate(collection.keys)
            if key in rows
            and (
                verify
                or collection.paths is None
                or collection.state(i) != rows[key].state
                or collection.caption(i) != rows[key].caption
            )
        ]
        gone = sorted(rows.keys() - set(collection.keys))
        done = Indexed(store, unchanged=len(collection) - len(fresh) - len(touched))
        say(f"{len(fresh):,} new, {len(touched):,} to look at again, {len(gone):,} gone, {done.unchanged:,} unchanged.")
        _take_over(done, collection, rows, fresh, touched)
        fresh, touched = [i for i in fresh if i >= 0], [i for i in touched if i >= 0]
        done.changed += _add(done, collection, np.array(touched, np.int64), say, replacing=True)
        done.added += _add(done, collection, np.array(fresh, np.int64), say, replacing=False)
        # A file that is there, but damaged by now, must not be found as what it was.
        broken = [collection.keys[i] for i in touched if i in done.unreadable]
        store.delete([*gone, *broken])
        done.removed = len(gone) + len(broken)
        done.problems = collection.source.problems
    refresh(store, say)
    done.seconds = time.perf_counter() - start
    return done


@dataclass(frozen=True)
class _StoredState:
    id: int
    digest: bytes
    state: tuple[int, int]
    caption: str | None


def _stored_states(store: Store) -> dict[bytes, _StoredState]:
    found: dict[bytes, _StoredState] = {}
    for batch in store.table.scan(["key", "digest", "size_bytes", "modified", "caption"]):
        times = batch.column("modified").cast("int64").to_pylist()
        sizes = batch.column("size_bytes").to_pylist()
        for key, one, digest, size, modified, caption in zip(
            batch.column("key").to_pylist(), batch.column(table.ROW_ID).to_pylist(),
            batch.column("digest").to_pylist(), sizes, times,
            batch.column("caption").to_pylist(), strict=True,
        ):  # fmt: skip
            found[key] = _StoredState(one, digest, (size, modified), caption)
    return found


def _take_over(
    done: Indexed, collection: Collection, rows: dict[bytes, _StoredState], fresh: list[int], touched: list[int]
) -> None:
    """Files whose content has a vector already get that; in the two lists their place becomes −1."""
    store = done.store
    by_content = {row.digest: row.id for row in rows.values()}
    known: list[tuple[int, int, Facts]] = []  # sample, row with its vector, facts
    for listed in (fresh, touched):
        for place, i in enumerate(listed):
            facts = collection.look(i)
            if facts is None or facts.digest not in by_content:
                continue
            known.append((i, by_content[facts.digest], facts))
            own = rows.get(collection.keys[i])
            if own is None:
                done.added, done.reused = done.added + 1, done.reused + 1
            elif own.digest == facts.digest and own.caption == collection.caption(i):
                done.unchanged += 1
            else:
                done.changed, done.reused = done.changed + 1, done.reused + 1
            listed[place] = -1
    for first in range(0, len(known), COMMIT_ROWS):
        part = known[first : first + COMMIT_ROWS]
        taken = store.table.take([row for _, row, _ in part], ["vector", "width", "height"])
        made = [
            records.record_of(collection, i, replace(facts, width=row["width"], height=row["height"]))
            for (i, _, facts), row in zip(part, taken, strict=True)
        ]
        vectors = np.array([row["vector"] for row in taken], store.settings.config.storage)
        store.table.replace(records.rows(made, vectors, store.table.schema))


def _begun(
    database: Any, uri: str, data: Any, network: nn.Module, model: str, config: EmbeddingConfig, say: Say
) -> Indexed:
    """A new store, with everything in it."""
    contract: InputContract = network.contract  # type: ignore[assignment]
    embedder = Embedder(network, contract, config)
    collection = open_collection(data, embedder.contract, WHO)
    embedder.expect(len(collection))
    # A projection is fitted before the first row is stored: on samples in the order of their keys, which is by chance.
    order = np.array(sorted(range(len(collection)), key=collection.keys.__getitem__), np.int64)
    first = order[:MOST_SAMPLES] if config.pca is not None else order[:0]
    say(f"{counted(len(collection), collection.source.kind)}: features {embedder.layer} of {shown(model)}.")
    seen = list(_embedded(embedder, collection, first, set()))
    projection = None
    if config.pca is not None:
        if not seen:
            raise DataError(f"{WHO}: none of the samples could be read:\n  {collection.source.problems[-1].message}")
        projection = fit_projection(torch.cat([vectors for _, vectors in seen]), config.pca, config.whiten)
    settings = Settings(
        fingerprint=embedder.fingerprint,
        config=config,
        contract=contract,
        model=model,
        data=_absolute(data),
        dims=embedder.dims if projection is None else projection.matrix.shape[1],
        projection=projection,
        weights=network_bytes(network),
    )
    drop_index(uri)
    database.create_table(ABOUT, settings.to_rows(), mode="overwrite")
    database.create_table(IMAGES, schema=records.schema(settings.dims, config.storage), mode="overwrite")
    store = Store(uri, network)
    store.__dict__["embedder"] = embedder
    done = Indexed(store, engine=embedder.engine)
    for made, vectors in seen:
        _append(store, made, project(store, vectors), replacing=False)
        done.added += len(made)
    rest = np.setdiff1d(np.arange(len(collection)), first)
    done.added += _add(done, collection, rest, say, replacing=False)
    done.problems = collection.source.problems
    return done


def _continued(
    database: Any, uri: str, data: Any, network: nn.Module | None, config: EmbeddingConfig | None, say: Say
) -> Indexed:
    """A store that is there, and what it lacks of `data` added."""
    settings = read_settings(database, uri)
    if network is not None:
        theirs: InputContract = network.contract  # type: ignore[assignment]
        fingerprint = Embedder(network, theirs, config or settings.config).fingerprint
        if fingerprint != settings.fingerprint:
            raise other_network(uri, settings, fingerprint)
    elif config is not None and config != settings.config:
        raise OptionError(f"{WHO}: {shown(uri)} was made with other options: {settings.config}.")
    if not _holds(database, IMAGES):
        images = records.schema(settings.dims, settings.config.storage)
        drop_index(uri)  # new rows may get the ids of those that it knows
        database.create_table(IMAGES, schema=images, mode="overwrite")
    store = Store(uri, network)
    collection = open_collection(data, settings.contract, WHO)
    missing = np.flatnonzero(~_are_stored(store, collection.keys))
    done = Indexed(store, unchanged=len(collection) - len(missing))
    say(f"{done.unchanged:,} of {counted(len(collection), collection.source.kind)} are in the store already.")
    done.added = _add(done, collection, missing, say, replacing=False)
    done.problems = collection.source.problems
    return done


def _are_stored(store: Store, keys: Sequence[bytes]) -> np.ndarray:
    """Which keys belong to a row, bool; without an object for each of a million rows, for which few new ones waited."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = store.table.schema.field("key").type
    stored = pa.chunked_array([batch.column("key") for batch in store.table.scan(["key"])], kind)
    return pc.is_in(pa.array(keys, kind), value_set=stored.combine_chunks()).to_numpy(zero_copy_only=False)


def _add(done: Indexed, collection: Collection, wanted: np.ndarray, say: Say, *, replacing: bool) -> int:
    """Embed samples and store them, a step at a time; how many."""
    if not len(wanted):
        return 0
    store, added = done.store, 0
    embedder = store.embedder
    embedder.expect(len(wanted))
    made: list[records.Record] = []
    vectors: list[np.ndarray] = []
    begun = last = time.perf_counter()
    for found, raw in _embedded(embedder, collection, wanted, done.unreadable):
        made += found
        vectors.append(project(store, raw))
        now = time.perf_counter()
        if len(made) >= COMMIT_ROWS or now - last > COMMIT_S:
            _append(store, made, np.concatenate(vectors), replacing=replacing)
            added, last = added + len(made), now
            made, vectors = [], []
            say(f"{added:,} of {len(wanted):,} done, {added / (now - begun):,.0f} per second.")
    if made:
        _append(store, made, np.concatenate(vectors), replacing=replacing)
    store.table.tidy()
    done.engine = embedder.engine
    return added + len(made)


def _append(store: Store, made: list[records.Record], vectors: np.ndarray, *, replacing: bool) -> None:
    rows = records.rows(made, records.stored(vectors, store.settings.config.storage), store.table.schema)
    (store.table.replace if replacing else store.table.append)(rows)


def _embedded(
    embedder: Embedder, collection: Collection, wanted: np.ndarray, unreadable: set[int]
) -> Iterator[tuple[list[records.Record], Tensor]]:
    """Records and unit vectors as the network gives them, batch by batch, of samples that can be read."""
    source, kept = collection.source, set()
    if not len(wanted):
        return
    try:
        samples = StreamedSamples(source, embedder.contract, wanted)
    except DataError:  # none can be read: each is named in the problems
        unreadable |= set(wanted.tolist())
        return
    for batch in samples.batches(samples.index, embedder.batch_size):
        vectors = embedder(batch.x)
        whole = vectors.isfinite().all(dim=1)
        for i in batch.index[~whole.numpy()].tolist():
            message = f"{source.names[i]}: the network makes of it what is no number."
            source.problems.append(Problem("damaged", message, (source.names[i],)))
        index = batch.index[whole.numpy()].tolist()
        kept |= set(index)
        yield [records.record_of(collection, i, collection.reader.facts.pop(i)) for i in index], vectors[whole]
    unreadable |= set(wanted.tolist()) - kept


def _network(model: str | Path | nn.Module) -> nn.Module:
    from lenrek.models.pretrained import load_pretrained

    if isinstance(model, str | Path):
        return load_pretrained(model)
    if not hasattr(model, "contract"):
        raise OptionError(
            f"{WHO}: the model {type(model).__name__} does not say what its input means.\n"
            "  Hint: model.contract = lenrek.InputContract(channels, size, mean, std, classes)"
        )
    return model


def _called(model: Any) -> str:
    return str(model) if isinstance(model, str | Path) else type(model).__name__


def _exists(database: Any) -> bool:
    return _holds(database, ABOUT)


def _holds(database: Any, name: str) -> bool:
    try:
        database.open_table(name)
    except (ValueError, FileNotFoundError):  # also what a crash left of one that was being made
        return False
    return True


def _absolute(data: Any) -> str | None:
    if isinstance(data, str) and data in NAMED:
        return data
    return str(Path(data).expanduser().resolve()) if isinstance(data, str | Path) else None
