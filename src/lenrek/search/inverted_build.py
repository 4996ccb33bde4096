"""Building the approximate index of a store: three passes over its rows, in bounded memory, beside whatever goes on.

Nothing waits for it: rows may be searched, added and removed meanwhile. What is built says of which rows it is, and is
there as a whole, by the renaming of one file, or not at all.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from lenrek.data.shown import shown
from lenrek.errors import CheckpointError, OptionError, StoreError
from lenrek.models.tensor_file import write_tensors
from lenrek.search import table
from lenrek.search.clustering import assign, cluster
from lenrek.search.exact import Vectors
from lenrek.search.inverted import (
    LEAST_ROWS,
    LISTS_FILE,
    InvertedLists,
    Measured,
    checksum,
    described,
    folder_of,
)
from lenrek.search.lock import sole_builder
from lenrek.search.settings import Settings

LISTS_PER_ROOT = 4  # times √rows: as many comparisons with centres as with the rows of few lists
ROWS_PER_LIST = 32  # that the centres are found from
ASKED = 256  # rows that measure the recall
NEAREST = 100  # whose lists are counted: a query from outside finds its first ten as well as a row its first hundred
BATCHES_AT_ONCE = 8  # of `table.SCAN_ROWS`

Say = Callable[[str], None]


def build_lists(rows: table.Table, settings: Settings, recall: float, say: Say) -> Measured:
    """Build the index of `rows` and put it in the place of the one before.

    Args:
        rows: a table that nothing else changes.
        recall: aimed at, above 0 and below 1.
    Raises:
        OptionError: too few rows, or a recall that cannot be aimed at.
        StoreError: another process builds, or the disk is full.
    """
    if not 0 < recall < 1:
        raise OptionError(f"index: recall is {recall}, expected above 0 and below 1; the exact search finds all.")
    count = len(rows)
    if count < LEAST_ROWS:
        raise OptionError(
            f"index: {shown(rows.uri)} holds {count:,} rows, an approximate index takes at least {LEAST_ROWS:,}.\n"
            "  Hint: so few are searched exactly in less than a millisecond."
        )
    folder = folder_of(rows.uri)
    with sole_builder(folder):
        for left in folder.glob("vectors-*"):  # of a build that was killed
            if left.name != _in_use(folder):
                _unlink(left)
        file = folder / f"vectors-{secrets.token_hex(8)}"
        try:
            lists = _written(rows, settings, recall, file, say)
            tensors = {name: torch.as_tensor(getattr(lists, name)) for name in ("begins", "ids", "checksums")}
            tensors |= {"centres": lists.centres, "scales": lists.scales}
            before = _in_use(folder)
            storage = settings.config.storage
            write_tensors(folder / LISTS_FILE, tensors, described(lists, settings.fingerprint, storage, file.name))
        except (OSError, CheckpointError) as error:
            _unlink(file)
            reason = error.strerror if isinstance(error, OSError) else table.first_line(error)
            raise StoreError(f"{shown(folder)}: cannot be written: {reason}.") from error
        except BaseException:
            _unlink(file)
            raise
        if before is not None:
            _unlink(folder / before)  # who has it mapped keeps it
    return lists.measured


def _written(rows: table.Table, settings: Settings, recall: float, file: Path, say: Say) -> InvertedLists:
    """All but the small file."""
    count, groups = len(rows), max(1, round(LISTS_PER_ROOT * len(rows) ** 0.5))
    by_chance = np.random.default_rng(0)
    sampled = np.sort(by_chance.choice(count, min(count, ROWS_PER_LIST * groups), replace=False))
    asked = np.sort(by_chance.choice(count, min(count, ASKED), replace=False))
    say(f"{count:,} rows: finding the centres of {groups:,} lists.")
    sample, asking = _picked(rows, settings.dims, [sampled, asked])
    centres = cluster(sample, groups)
    del sample
    say("Sorting the rows into the lists.")
    ids, chosen, scales = np.empty(count, np.int64), np.empty(count, np.int32), torch.empty(count)
    truth = _Nearest(asking, asked, min(NEAREST, count - 1))
    for first, some_ids, vectors in _blocks(rows, settings.dims):
        part = slice(first, first + len(some_ids))
        known = Vectors(some_ids, vectors)
        ids[part], scales[part] = some_ids, known.scales
        chosen[part] = assign(known.unit(), centres)[0].numpy()
        truth.look(known, first)
    order = np.argsort(chosen, kind="stable")
    begins = np.concatenate([[0], np.bincount(chosen, minlength=groups).cumsum()]).astype(np.int64)
    place = np.empty(count, np.int64)
    place[order] = np.arange(count)
    checksums = _write_vectors(rows, settings, file, place, begins)
    found = _measure(centres, begins, asking, chosen[truth.places], recall)
    say(
        f"recall@{found.k} {found.recall:.3f} of {found.queries} rows that asked: {found.lists:,} of {groups:,} lists, "
        f"{found.rows:.1%} of the rows compared."
    )
    return InvertedLists(
        rows.version, recall, centres, begins, ids[order], scales[torch.from_numpy(order)],
        torch.empty(0),  # nobody searches by this object
        checksums, found,
    )  # fmt: skip


def _blocks(rows: table.Table, dims: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """The first row's place, ids and vectors of the rows, some ten thousand at a time."""
    first, ids, vectors = 0, [], []
    for batch in rows.scan(["vector"]):
        ids.append(batch.column(table.ROW_ID).to_numpy().astype(np.int64))
        vectors.append(table.vectors_of(batch.column("vector"), dims))
        if len(ids) == BATCHES_AT_ONCE:
            yield first, np.concatenate(ids), np.concatenate(vectors)
            first, ids, vectors = first + sum(map(len, ids)), [], []
    if ids:
        yield first, np.concatenate(ids), np.concatenate(vectors)


def _picked(rows: table.Table, dims: int, wanted: list[np.ndarray]) -> list[torch.Tensor]:
    """Unit vectors of the rows at these places (each sorted), float32."""
    found = [torch.empty(len(places), dims) for places in wanted]
    for first, ids, vectors in _blocks(rows, dims):
        for places, into in zip(wanted, found, strict=True):
            part = slice(*np.searchsorted(places, [first, first + len(ids)]))
            into[part] = F.normalize(torch.from_numpy(vectors[places[part] - first]).float())
    return found


class _Nearest:
    """The true nearest of some rows among all others, as these pass by.

    Attributes:
        places: (asking, k) of the rows.
    """

    def __init__(self, asking: torch.Tensor, own: np.ndarray, k: int) -> None:
        self.asking, self.own, self.k = asking.numpy(), own[:, None], k
        self.places = np.empty((len(asking), 0), np.int64)
        self.cosines = np.empty((len(asking), 0), np.float32)

    def look(self, vectors: Vectors, first: int) -> None:
        places, cosines = vectors.nearest(self.asking, self.k + 1)
        cosines = np.where(places + first == self.own, -2, cosines)
        places, cosines = np.hstack([self.places, places + first]), np.hstack([self.cosines, cosines])
        best = np.argsort(-cosines, axis=1, kind="stable")[:, : self.k]
        self.places, self.cosines = (np.take_along_axis(x, best, 1) for x in (places, cosines))


def _measure(
    centres: torch.Tensor, begins: np.ndarray, asking: torch.Tensor, lists: np.ndarray, recall: float
) -> Measured:
    """The fewest lists that hold so many of the nearest, which are in `lists` (asking, k)."""
    order = (asking @ centres.T).argsort(dim=1, descending=True)
    ranks = torch.empty_like(order).scatter_(1, order, torch.arange(len(centres)).expand_as(order).contiguous())
    needed = ranks.gather(1, torch.from_numpy(lists).long()).numpy()
    # What is aimed at is to hold for queries of tomorrow: two standard errors above it.
    for looked in range(1, len(centres) + 1):
        found = (needed < looked).mean(1)
        if found.mean() - 2 * found.std() / len(found) ** 0.5 >= recall or looked == len(centres):
            break
    lengths = torch.from_numpy(np.diff(begins))[order[:, :looked]].sum(1).float().mean()
    return Measured(lists.shape[1], looked, float(found.mean()), float(lengths) / int(begins[-1]), len(found))


def _write_vectors(
    rows: table.Table, settings: Settings, file: Path, place: np.ndarray, begins: np.ndarray
) -> np.ndarray:
    """Every row's vector to its place in the file, then each list's checksum."""
    row_bytes = settings.dims * np.dtype(settings.config.storage).itemsize
    with file.open("x+b", buffering=1 << 16) as handle:
        handle.truncate(len(place) * row_bytes)
        for first, ids, vectors in _blocks(rows, settings.dims):
            to = place[first : first + len(ids)]
            order = np.argsort(to)
            to, vectors = to[order], vectors[order]
            runs = np.flatnonzero(np.diff(to, prepend=-2) != 1)
            for begin, end in zip(runs, [*runs[1:], len(to)], strict=True):
                handle.seek(int(to[begin]) * row_bytes)
                handle.write(vectors[begin:end].data)
        handle.flush()
        os.fsync(handle.fileno())
        handle.seek(0)
        sums = [
            checksum(np.frombuffer(handle.read(rows_in * row_bytes), np.uint8)) for rows_in in np.diff(begins).tolist()
        ]
    return np.array(sums, np.int64)


def _in_use(folder: Path) -> str | None:
    """The vectors' file that the index names; None where there is no index that can be read."""
    import json

    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / LISTS_FILE, framework="pt") as file:
            return Path(json.loads(file.metadata()["about"])["vectors"]).name
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None


def _unlink(file: Path) -> None:
    with suppress(OSError):
        file.unlink()
