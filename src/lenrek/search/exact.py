"""Exact search: every vector compared with every query, in the type it is stored in, a block at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from lenrek.kernels.similarities import similarities

FIRST_ROWS = 1_024  # sorted as a whole; the others have to beat the best of them
BLOCK_ROWS = 65_536
QUERY_ROWS = 64  # their similarities to a block are 16 MiB
NOTHING = -2.0  # below every cosine


@dataclass(frozen=True)
class Vectors:
    """Rows of a store in memory.

    Attributes:
        ids: (rows,) int64, of the store.
        stored: (rows, dims), float32, float16 or int8: directions, of any length.
        scales: (rows,) float32: one over each length, 0 for zeros.
    """

    ids: np.ndarray
    stored: np.ndarray
    scales: torch.Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        rows = torch.from_numpy(self.stored)
        lengths = [block.float().norm(dim=1) for block in rows.split(BLOCK_ROWS)]
        length = torch.cat([torch.empty(0), *lengths])
        object.__setattr__(self, "scales", torch.where(length > 0, 1 / length, 0.0))

    def __len__(self) -> int:
        return len(self.ids)

    def only(self, wanted: np.ndarray) -> Vectors:
        """The rows where `wanted` (rows,) bool is true."""
        return Vectors(self.ids[wanted], self.stored[wanted])

    def unit(self, first: int = 0, rows: int | None = None) -> torch.Tensor:
        """Some rows from `first`, or all, as unit vectors in float32; zeros stay zeros."""
        part = slice(first, None if rows is None else first + rows)
        return torch.from_numpy(self.stored[part]).float() * self.scales[part, None]

    def at(self, places: np.ndarray) -> np.ndarray:
        """Unit vectors (*places.shape, dims), float32."""
        flat = torch.from_numpy(places.ravel())
        rows = torch.from_numpy(self.stored)[flat].float() * self.scales[flat, None]
        return rows.numpy().reshape(*places.shape, self.stored.shape[1])

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
            some = torch.from_numpy(np.ascontiguousarray(queries[part], np.float32))
            places[part], cosines[part] = self._nearest(some, k)
        return places, cosines

    def _nearest(self, queries: torch.Tensor, k: int) -> tuple[np.ndarray, np.ndarray]:
        best = torch.full((len(queries), k), NOTHING)
        places = torch.zeros((len(queries), k), dtype=torch.int64)
        rows, first = torch.from_numpy(self.stored), 0
        while first < len(self) and k:
            block = slice(first, first + (BLOCK_ROWS if first else max(FIRST_ROWS, k)))
            found = similarities(rows[block], self.scales[block], queries)
            best, places = _merged(best, places, found, first)
            first = block.stop
        return places.numpy(), best.numpy()


def _merged(
    best: torch.Tensor, places: torch.Tensor, found: torch.Tensor, first: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The best so far (queries, k) and what beats them among `found` (queries, rows from `first`)."""
    query, row = (found > best[:, -1:]).nonzero(as_tuple=True)
    if not len(query):
        return best, places
    begins = torch.searchsorted(query, torch.arange(len(best)))
    column = torch.arange(len(query)) - begins[query]
    cosines = torch.full((len(best), int(column.max()) + 1), NOTHING)
    where = torch.zeros(cosines.shape, dtype=torch.int64)
    cosines[query, column] = found[query, row]
    where[query, column] = row + first
    every, order = torch.cat([best, cosines], 1).sort(dim=1, descending=True, stable=True)
    k = best.shape[1]
    return every[:, :k], torch.cat([places, where], 1).gather(1, order[:, :k])
