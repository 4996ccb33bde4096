"""Exact search: every vector compared with every query, in memory, a block at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

BLOCK_ROWS = 16_384  # as float32 a block of 512 numbers is 32 MiB
QUERY_ROWS = 1_024


@dataclass(frozen=True)
class Vectors:
    """Rows of a store in memory.

    Attributes:
        ids: (rows,) int64, of the store.
        stored: (rows, dims), float32, float16 or int8: directions, of any length.
    """

    ids: np.ndarray
    stored: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def only(self, wanted: np.ndarray) -> Vectors:
        """The rows where `wanted` (rows,) bool is true."""
        return Vectors(self.ids[wanted], self.stored[wanted])

    def block(self, first: int, rows: int = BLOCK_ROWS) -> torch.Tensor:
        """Rows from `first` as unit vectors in float32; zeros stay zeros."""
        return F.normalize(torch.from_numpy(self.stored[first : first + rows]).float())

    def nearest(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """For each unit query (queries, dims) the positions and cosines of the k nearest rows, nearest first.

        Of equal ones the row that comes first. Fewer than k columns where there are fewer rows.

        Example:
            >>> vectors = Vectors(np.arange(3), np.array([[0, 2], [1, 1], [1, 0]], np.float16))
            >>> places, cosines = vectors.nearest(np.array([[1, 0]], np.float32), k=2)
            >>> places.tolist(), cosines.round(3).tolist()
            ([[2, 1]], [[1.0, 0.7070000171661377]])
        """
        k = min(k, len(self))
        places = np.empty((len(queries), k), np.int64)
        cosines = np.empty((len(queries), k), np.float32)
        for first in range(0, len(queries), QUERY_ROWS):
            part = slice(first, first + QUERY_ROWS)
            places[part], cosines[part] = self._nearest(
                torch.from_numpy(np.ascontiguousarray(queries[part])).float(), k
            )
        return places, cosines

    def _nearest(self, queries: torch.Tensor, k: int) -> tuple[np.ndarray, np.ndarray]:
        best = torch.full((len(queries), 0), -2.0)
        where = torch.zeros((len(queries), 0), dtype=torch.int64)
        for first in range(0, len(self), BLOCK_ROWS):
            found = queries @ self.block(first).T
            if best.shape[1] == k:  # most blocks hold nothing that is near enough for most queries
                better = found.amax(1) > best[:, -1]
                if not better.any():
                    continue
            top, place = _top(found, min(k, found.shape[1]))
            both, order = torch.cat([best, top], 1).sort(dim=1, descending=True, stable=True)
            where = torch.cat([where, place + first], 1).gather(1, order)[:, :k]
            best = both[:, :k]
        return where.numpy(), best.numpy()


def _top(found: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The k largest of each row, of equal ones the first."""
    top, place = found.topk(k, 1)
    if k < found.shape[1]:
        edge = top[:, -1:]
        tied = (found == edge).sum(1) > (top == edge).sum(1)
        for row in tied.nonzero()[:, 0].tolist():  # topk takes any of those that are equal at the edge
            place[row] = found[row].sort(descending=True, stable=True).indices[:k]
    place = place.sort(1).values
    top = found.gather(1, place)
    top, order = top.sort(dim=1, descending=True, stable=True)
    return top, place.gather(1, order)
