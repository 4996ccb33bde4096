"""What a search finds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Hit:
    """A row that is near.

    Attributes:
        path: relative to the collection.
        similarity: the cosine of the angle to the query, 1 for the same direction.
        label, caption, part: None where nothing says them.
        width, height: in pixels, 0 for what is no image.
        id: of the row in the store, until it is changed.
    """

    path: str
    similarity: float
    label: str | None
    caption: str | None
    part: str | None
    width: int
    height: int
    id: int


@dataclass(frozen=True)
class Hits:
    """The answer to one query, nearest first.

    Attributes:
        query: the file, or what was combined.
        vector: (dims,) float32, what was searched for.
    """

    query: str
    hits: tuple[Hit, ...]
    vector: np.ndarray = field(repr=False, compare=False)

    def __iter__(self) -> Any:
        return iter(self.hits)

    def __len__(self) -> int:
        return len(self.hits)

    def __getitem__(self, place: int) -> Hit:
        return self.hits[place]

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict."""
        return {
            "query": self.query,
            "hits": [{name: value for name, value in asdict(hit).items() if name != "id"} for hit in self.hits],
        }
