"""Draws what a search finds, before and after training: `python docs/draw_search.py` (half a minute)."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch

import lenrek
from lenrek.data.open import open_source
from lenrek.drawing.pictures import png_source
from lenrek.drawing.plot import standalone
from lenrek.drawing.svg import drawing, element

CELL, GAP, LEFT, TOP, FOUND = 34, 5, 8, 24, 8
ASKED = (3, 200, 404, 605, 999, 1203)


def search_picture() -> str:
    """Each row: a digit, and the eight nearest by an untrained and by a trained network; framed where it is another."""
    source = open_source("digits")
    contract = lenrek.InputContract(1, (8, 8), (0.5,), (0.5,), source.classes)
    x = np.stack([source.reader.read(i, contract) for i in range(len(source))])
    labels = np.asarray(source.labels)
    parts: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        untrained = lenrek.create_model("resnet20", 10, 1).eval()
        untrained.contract = contract
        half = np.arange(len(x)) % 2 == 0  # the other half is learnt from
        trained = lenrek.train(
            (x[~half], labels[~half]), "resnet20", out=Path(folder, "run"), epochs=12, validation=0.1, test=0.1
        )
        models = {"an untrained network": untrained, "one trained on other digits": trained.path}
        for column, (name, model) in enumerate(models.items()):
            left = LEFT + column * (FOUND + 2) * (CELL + GAP)
            parts.append(element("text", f"a digit, and the nearest by {name}", x=left, y=14))
            data = (x[half], labels[half])
            store = lenrek.index(data, model=model, out=Path(folder, str(column))).store
            for row, hits in enumerate(store.search(x[half][list(np.array(ASKED) // 2)], FOUND + 1)):
                query = ASKED[row] // 2
                numbers = [query, *(n for n in (int(hit.path[2:-1]) for hit in hits) if n != query)][: FOUND + 1]
                for place, number in enumerate(numbers):
                    at = left + place * (CELL + GAP) + (GAP * 2 if place else 0), TOP + row * (CELL + GAP)
                    other = labels[half][number] != labels[half][query]
                    parts += digit(x[half][number, 0], *at, other)
    said = "Six digits and what is nearest to them, by an untrained and by a trained network"
    width = LEFT + 2 * (FOUND + 2) * (CELL + GAP)
    return standalone(drawing(width, TOP + len(ASKED) * (CELL + GAP), said, parts))


def digit(pixels: np.ndarray, left: float, top: float, other: bool) -> list[str]:
    large = np.kron(255 - pixels, np.ones((4, 4), np.uint8)).astype(np.uint8)  # viewers blur what is small
    parts = [element("image", x=left, y=top, width=CELL, height=CELL, href=png_source(large))]
    if other:
        parts.append(
            element("rect", x=left - 1, y=top - 1, width=CELL + 2, height=CELL + 2, fill="none",
                    stroke="#b8452a", stroke_width=3)
        )  # fmt: skip
    return parts


if __name__ == "__main__":
    Path(__file__).with_name("search.svg").write_text(search_picture(), encoding="utf-8")
