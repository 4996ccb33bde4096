"""Results as a page: the query, and beside it what was found, each as a small picture."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from PIL import Image

from lenrek.data.images import decode_image, read_bytes
from lenrek.data.shown import shown
from lenrek.drawing.page import fill_page
from lenrek.drawing.pictures import picture, png
from lenrek.errors import DataError
from lenrek.models.contract import InputContract
from lenrek.models.tensor_file import write_bytes_atomically
from lenrek.search.collection import root_of
from lenrek.search.why import likeness, painted

if TYPE_CHECKING:
    from lenrek.search.hits import Hit, Hits
    from lenrek.search.store import Store

SIDE_PX = 160


def write_page(path: str | Path, store: Store, found: list[Hits], *, why: bool = False) -> None:
    """One HTML file with everything inside; a file that is no longer there has no picture.

    Args:
        why: also where each hit is like its query (`lenrek.search.why`).
    Raises:
        CheckpointError: the page cannot be written.
    """
    pictures = Pictures(store)
    queries = []
    for hits in found:
        cards = [
            {"hit": hit, "picture": pictures.row(hit.id), "why": pictures.why(hit, hits.vector) if why else None}
            for hit in hits
        ]
        queries.append((hits, pictures.file(hits.query), cards))
    page = fill_page(
        Path(__file__).with_name("search.html"), {}, store=store, queries=queries, rows=len(store), shown=shown
    )
    write_bytes_atomically(path, page.encode("utf-8", "backslashreplace"))


class Pictures:
    """Small pictures of rows of a store, and of other files."""

    def __init__(self, store: Store, side: int = SIDE_PX) -> None:
        self.store = store
        contract = store.settings.contract
        fixed = (contract.channels,) if contract.channels in (1, 3) else (3,)
        self.contract = InputContract(fixed[0], (side, side), (0.0,) * fixed[0], (1.0,) * fixed[0], (), fit="crop")
        data = store.settings.data
        self.root = root_of(Path(data)) if data is not None and Path(data).exists() else None

    def row(self, id_: int) -> Markup | None:
        """Of a row; None where its file is not there any more, or it never was one."""
        path = self.path(id_)
        return None if path is None else self.file(path, "result")

    def why(self, hit: Hit, vector: np.ndarray) -> Markup | None:
        """The same image, coloured by where it is like `vector`."""
        path, embedder = self.path(hit.id), self.store.embedder
        sample = None if path is None else self.pixels(path, embedder.steps[0].contract)
        found = None if sample is None else likeness(self.store, sample, vector)
        if sample is None or found is None:
            return None
        seen = np.asarray(Image.fromarray(painted(sample, found)).resize((SIDE_PX, SIDE_PX)))
        return png(seen, f"where {hit.path} is like the query")

    def path(self, id_: int) -> bytes | None:
        """Of a row's file."""
        return self.path_of(self.store.table.take([id_], ["path", "raw_path"])[0])

    def path_of(self, row: dict[str, Any]) -> bytes | None:
        if self.root is None:
            return None
        name = row["raw_path"] if row["raw_path"] is not None else os.fsencode(row["path"])
        return os.path.join(os.fsencode(self.root), name)

    def file(self, path: str | bytes, description: str = "query") -> Markup | None:
        pixels = self.pixels(path)
        return None if pixels is None else picture(pixels, shown(description))

    def pixels(self, path: str | bytes, contract: InputContract | None = None) -> np.ndarray | None:
        """uint8 (channels, *size), or None."""
        file = Path(os.fsdecode(path))
        try:
            return np.ascontiguousarray(decode_image(read_bytes(file), file, contract or self.contract))
        except DataError:
            return None
