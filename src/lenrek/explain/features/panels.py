"""Numbers on one, two or three axes as a small picture: a curve, an image, slices side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from markupsafe import Markup

from lenrek.drawing.colours import diverging, grey
from lenrek.drawing.tile import SIDE_PX, Tile, curve_tile, image_tile, strip
from lenrek.errors import OptionError

Scale = Literal["common", "own"]
MOST_SLICES = 8  # of a volume, evenly spaced along its first axis


def value_tile(
    values: np.ndarray,
    most: float,
    description: str,
    caption: Sequence[str] = (),
    *,
    signed: bool,
    side: float = SIDE_PX,
    over: Iterable[Markup] = (),
) -> Tile:
    """Values on one axis as a curve, on two as an image, on three as slices; a single number as one pixel.

    Args:
        most: the value that is drawn strongest; −most as well where values are `signed`.
        signed: blue, white, red; otherwise black to white.
        side: px of the longer side of an image; slices are given more.
        over: elements over an image, in its coordinates.
    """
    if values.ndim == 1 and len(values) > 1:
        return curve_tile(values, -most if signed else 0.0, most, description, caption)
    if values.ndim == 3:
        chosen = slices_of(len(values))
        picture = strip([_coloured(values[place], most, signed) for place in chosen])
        return image_tile(picture, description, caption, side=side * min(len(chosen), 3), over=over)
    return image_tile(_coloured(np.atleast_2d(values), most, signed), description, caption, side=side, over=over)


def slices_of(depth: int, most: int = MOST_SLICES) -> list[int]:
    """Which slices of a volume are drawn.

    >>> slices_of(3), slices_of(32, 4)
    ([0, 1, 2], [0, 10, 21, 31])
    """
    return sorted({round(place) for place in np.linspace(0, depth - 1, min(depth, most))})


def slices_in_words(depth: int) -> str:
    """What a caption says of slices.

    >>> slices_in_words(32)
    'Slices 0, 4, 9, 13, 18, 22, 27, 31 of 32 along the first axis.'
    """
    chosen = slices_of(depth)
    which = "All" if len(chosen) == depth else "Slices " + ", ".join(map(str, chosen)) + " of"
    return f"{which} {depth} {'slices ' if len(chosen) == depth else ''}along the first axis."


def check_scale(scale: str, who: str) -> None:
    if scale not in ("common", "own"):
        raise OptionError(f"{who}: scale is {scale!r}, expected 'common' or 'own'.")


def check_most(most: int, who: str) -> None:
    if most < 1:
        raise OptionError(f"{who}: most is {most}, expected at least 1.")


def scale_in_words(most: float, scale: Scale, signed: bool, what: str) -> str:
    """What colours mean.

    >>> scale_in_words(0.5, "common", True, "filters")
    'White is zero, red positive, blue negative; one scale for all filters: full colour is ±0.5.'
    """
    colours = "White is zero, red positive, blue negative" if signed else "Black is zero"
    if scale == "own":
        return f"{colours}; each of the {what} on a scale of its own, so that their strengths cannot be compared."
    full = f"full colour is ±{most:.3g}" if signed else f"white is {most:.3g}"
    return f"{colours}; one scale for all {what}: {full}."


def _coloured(values: np.ndarray, most: float, signed: bool) -> np.ndarray:
    return diverging(values, most) if signed else grey(values, most)
