"""How much one picture may hold: beyond that nobody could read it, and it would take long to draw."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from lenrek.errors import ShapeError

MOST_CELLS = 4_000  # of one volume
MOST_PRODUCTS = 60_000  # of all steps
MOST_STEPS = 1_000  # of an animation


def refuse_cells(grid: np.ndarray, around: str, who: str) -> None:
    """`refuse_many` for an input (channels, *cells) with what lies `around` its samples."""
    cells = " · ".join(map(str, grid.shape[1:]))
    refuse_many(grid.size, f"{len(grid)} channels · {cells} cells with {around}", who)


def refuse_products(channels: int, out_size: Sequence[int], taps: int, who: str, of: str = "products") -> None:
    """`refuse_many` for the terms of all outputs."""
    outputs = " · ".join(map(str, out_size))
    what = f"{channels} channels · {outputs} outputs · {taps} taps"
    refuse_many(channels * prod(out_size) * taps, what, who, MOST_PRODUCTS, of)


def refuse_many(count: int, what: str, who: str, most: int = MOST_CELLS, of: str = "cells") -> None:
    """Raise `ShapeError` with the arithmetic `what` where there are more than `most`."""
    if count > most:
        raise ShapeError(
            f"{who}: {what} = {count:,} {of}, expected at most {most:,}.\n"
            "  Hint: a small example shows the same: fewer samples, channels or taps."
        )
