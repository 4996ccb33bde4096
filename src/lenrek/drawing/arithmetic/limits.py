"""How much one picture may hold: beyond that nobody could read it, and it would take long to draw."""

from __future__ import annotations

from lenrek.errors import ShapeError

MOST_CELLS = 4_000  # of one volume
MOST_PRODUCTS = 60_000  # of all steps
MOST_STEPS = 1_000  # of an animation


def refuse_many(count: int, what: str, who: str, most: int = MOST_CELLS, of: str = "cells") -> None:
    """Raise `ShapeError` with the arithmetic `what` where there are more than `most`."""
    if count > most:
        raise ShapeError(
            f"{who}: {what} = {count:,} {of}, expected at most {most:,}.\n"
            "  Hint: a small example shows the same: fewer samples, channels or taps."
        )
