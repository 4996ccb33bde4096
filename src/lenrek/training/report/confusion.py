"""The confusion matrix: a table with counts while it can be read, a compact picture beyond."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from lenrek.drawing.pictures import png
from lenrek.training.evaluation import Evaluation

MOST_CLASSES_IN_TABLE = 20
RIGHT_RGB, WRONG_RGB = (43, 108, 176), (205, 82, 50)


@dataclass(frozen=True)
class Cell:
    """A count of the table; `depth` is how dark it is, from 0 to 1."""

    count: int
    depth: float
    right: bool
    meaning: str


def confusion_rows(evaluation: Evaluation) -> list[tuple[str, list[Cell]]]:
    """Per true class its cells, shaded by the square root of their share of the row, so that rare mistakes show."""
    shares = _row_shares(evaluation)
    names = evaluation.classes
    return [
        (
            truth,
            [
                Cell(int(count), math.sqrt(shares[row, column]), row == column, f"{truth} called {said}: {count}")
                for column, (said, count) in enumerate(zip(names, evaluation.confusion[row], strict=True))
            ],
        )
        for row, truth in enumerate(names)
    ]


def confusion_picture(evaluation: Evaluation) -> Markup:
    """One pixel per pair of classes: blue right, red wrong, as opaque as the root of its share of the row."""
    shares = _row_shares(evaluation)
    pixels = np.empty((*shares.shape, 4), dtype=np.uint8)
    pixels[..., :3] = np.where(np.eye(len(shares), dtype=bool)[..., None], RIGHT_RGB, WRONG_RGB)
    pixels[..., 3] = np.rint(255 * np.sqrt(shares))
    return png(pixels, f"Confusion matrix of {len(shares)} classes, rows are the truth, columns what the network said.")


def _row_shares(evaluation: Evaluation) -> np.ndarray:
    return evaluation.confusion / np.maximum(evaluation.confusion.sum(axis=1, keepdims=True), 1)
