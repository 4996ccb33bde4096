"""Approximate search: rows in lists of neighbours, of which a query looks through the nearest few.

Two files beside the rows. `lists.safetensors` is small and checked as a whole: the centre of each list, and which rows
are in it. The other holds the vectors, list by list; it is mapped, so that a search reads the lists that it
looks through and nothing else, each checked against its checksum when it is first read.

Source: Jégou, Douze & Schmid 2011, doi:10.1109/TPAMI.2010.57, §4 (inverted file; here with whole vectors).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lenrek.data.cache import cache_folder
from lenrek.errors import CheckpointError, StoreError
from lenrek.kernels.similarities import similarities
from lenrek.models.tensor_file import read_tensors

FOLDER, LISTS_FILE, VERSION = "approximate", "lists.safetensors", 2
LEAST_ROWS = 1_000


@dataclass(frozen=True)
class Measured:
    """How many of the true nearest are found, on rows of the collection that ask for the others.

    Attributes:
        k: nearest that were asked for.
        lists: that are looked through to find them.
        recall: the share of the true k nearest that is in these lists.
        rows: share of all rows that is compared.
        queries: rows that asked.
    """

    k: int
    lists: int
    recall: float
    rows: float
    queries: int


@dataclass(frozen=True)
class InvertedLists:
    """Rows of a store as they were when this was built.

    Attributes:
        version: of the store's rows.
        aimed: recall that was aimed at.
        centres: (lists, dims) float32 unit vectors.
        begins: (lists + 1,) int64: list i is the rows begins[i] to begins[i + 1].
        ids: (rows,) int64, of the store.
        scales: (rows,) float32: one over each vector's length, 0 for zeros.
        stored: (rows, dims), mapped from the disk.
        checksums: (lists,) int64, of each list's vectors.
        measured: how many lists are looked through, and what that finds.
    """

    version: int
    aimed: float
    centres: torch.Tensor
    begins: np.ndarray
    ids: np.ndarray
    scales: torch.Tensor
    stored: torch.Tensor
    checksums: np.ndarray
    measured: Measured

    def __post_init__(self) -> None:
        object.__setattr__(self, "_checked", np.zeros(len(self.checksums), bool))

    def __len__(self) -> int:
        return len(self.ids)

    def lists_for(self, k: int) -> int | None:
        """How many lists to look through for k nearest; None where that was not measured."""
        return self.measured.lists if k <= self.measured.k else None

    def nearest(self, query: np.ndarray, k: int, lists: int, gone: Gone | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Places in `ids` and cosines of the k nearest to one unit query (dims,), nearest first.

        Args:
            lists: looked through; more where these hold fewer than k rows.
            gone: rows that must not be found.
        Raises:
            StoreError: a list is not what was written.
        """
        x = torch.from_numpy(query)
        order = (self.centres @ x).argsort(descending=True).numpy()
        lengths = np.diff(self.begins) if gone is None else gone.left
        enough = int(np.searchsorted(lengths[order].cumsum(), k)) + 1
        places, found = [np.empty(0, np.int64)], [torch.empty(0)]
        for one in np.sort(order[: max(lists, enough)]).tolist():
            part = slice(int(self.begins[one]), int(self.begins[one + 1]))
            if part.start < part.stop:
                self._check(one, part)
                found.append(similarities(self.stored[part], self.scales[part], x[None])[0])
                places.append(np.arange(part.start, part.stop))
        cosines, place = torch.cat(found), np.concatenate(places)
        if gone is not None:
            cosines[torch.from_numpy(gone.rows[place])] = -torch.inf
        best, at = cosines.topk(min(k, len(cosines)))
        kept = int((best > -torch.inf).sum())
        return place[at[:kept].numpy()], best[:kept].numpy()

    def rows(self, places: np.ndarray) -> torch.Tensor:
        """Unit vectors at these places, float32."""
        at = torch.from_numpy(places)
        return self.stored[at].float() * self.scales[at, None]

    def _check(self, one: int, part: slice) -> None:
        checked: np.ndarray = self._checked  # type: ignore[attr-defined]
        if not checked[one]:
            if checksum(self.stored[part].numpy()) != self.checksums[one]:
                raise StoreError("the approximate index was altered after it was written")
            checked[one] = True


class Gone:
    """Rows of an index that are removed or changed by now.

    Attributes:
        rows: (rows,) bool.
        left: (lists,) int64: how many of each list are not.
    """

    def __init__(self, lists: InvertedLists, rows: np.ndarray) -> None:
        self.rows = rows
        self.left = np.diff(np.concatenate([[0], (~rows).cumsum()])[lists.begins])

    def __len__(self) -> int:
        return int(len(self.rows) - self.left.sum())


def checksum(vectors: np.ndarray) -> int:
    """The sum of the bytes taken eight at a time, modulo 2⁶⁴: as fast as they can be read, which a search has to do."""
    content = np.ascontiguousarray(vectors).reshape(-1).view(np.uint8)
    words = content[: len(content) // 8 * 8].view(np.int64)
    return int(words.sum(dtype=np.int64)) + int(content[len(words) * 8 :].sum())


def folder_of(uri: str) -> Path:
    """Where the index of a store lies: in its folder; for object storage in the cache folder of this machine."""
    if "://" not in uri:
        return Path(uri, FOLDER)
    return cache_folder() / "search" / hashlib.blake2b(uri.encode(), digest_size=16).hexdigest()


def open_lists(uri: str, fingerprint: str, dims: int, storage: str) -> InvertedLists | None:
    """The index of a store; None where there is none.

    Raises:
        StoreError: it is damaged, or of another store.
    """
    folder = folder_of(uri)
    if not (folder / LISTS_FILE).exists():
        return None
    try:
        tensors, metadata = read_tensors(folder / LISTS_FILE)
        about: dict[str, Any] = json.loads(metadata["about"])
        if (about["format"], about["fingerprint"], about["dims"], about["storage"]) != (
            VERSION, fingerprint, dims, storage
        ):  # fmt: skip
            raise StoreError("the approximate index belongs to another store")
        count, file = len(tensors["ids"]), folder / Path(about["vectors"]).name
        if file.stat().st_size != count * dims * np.dtype(storage).itemsize:
            raise StoreError("the approximate index is cut short")
        # Mapped for writing, which PyTorch insists on, but nothing that were written would reach the file.
        stored = np.memmap(file, np.dtype(storage), "c", shape=(count, dims))
        return InvertedLists(
            about["version"], about["aimed"], tensors["centres"], tensors["begins"].numpy(), tensors["ids"].numpy(),
            tensors["scales"], torch.from_numpy(stored), tensors["checksums"].numpy(),
            Measured(**about["measured"]),
        )  # fmt: skip
    except StoreError:
        raise
    except (CheckpointError, OSError, KeyError, TypeError, ValueError) as error:
        raise StoreError("the approximate index is damaged") from error


def described(lists: InvertedLists, fingerprint: str, storage: str, vectors: str) -> dict[str, str]:
    """The metadata of `lists.safetensors`."""
    about = {
        "format": VERSION,
        "version": lists.version,
        "aimed": lists.aimed,
        "fingerprint": fingerprint,
        "dims": lists.centres.shape[1],
        "storage": storage,
        "vectors": vectors,
        "measured": asdict(lists.measured),
    }
    return {"about": json.dumps(about)}
