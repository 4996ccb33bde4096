"""One small picture with a line or two of text: pixels or a curve, and what lies over them in their coordinates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from lenrek.drawing.pictures import PIXELATED_BELOW_PX, png_source
from lenrek.drawing.svg import drawing, element, path

SIDE_PX = 96
CURVE_WIDTH, CURVE_HEIGHT = 144, 72
MOST_POINTS = 720  # of a curve: of a longer one the extremes of every column are drawn
CURVE_STYLE = "fill:none;stroke:#2b6cb0;stroke-width:1.5;vector-effect:non-scaling-stroke"
EDGE_STYLE = "fill:none;stroke:#c9ced4;vector-effect:non-scaling-stroke"
ZERO_STYLE = "stroke:#9aa3ad;stroke-width:.75;vector-effect:non-scaling-stroke"


@dataclass(frozen=True, eq=False)
class Tile:
    """A picture of `width` × `height` px and the text under it.

    Attributes:
        picture: an <svg> whose coordinates are those of what it shows: columns and rows of pixels, or samples.
        description: what a screen reader says.
        caption: lines of text.
    """

    picture: Markup
    width: float
    height: float
    description: str
    caption: tuple[str, ...] = ()


def image_tile(
    pixels: np.ndarray,
    description: str,
    caption: Sequence[str] = (),
    *,
    side: float = SIDE_PX,
    over: Iterable[Markup] = (),
) -> Tile:
    """uint8 (height, width) grey or (…, 3) RGB, its longer side drawn `side` px long.

    Args:
        over: elements in coordinates of pixels: (row, column) fills (column, row) to (column + 1, row + 1).
    Example:
        >>> tile = image_tile(np.zeros((2, 4), np.uint8), "dark", side=80)
        >>> tile.width, tile.height
        (80.0, 40.0)
    """
    rows, columns = pixels.shape[:2]
    scale = side / max(rows, columns)
    sharp = "image-rendering:pixelated" if max(rows, columns) < PIXELATED_BELOW_PX else None
    image = element(
        "image", href=png_source(pixels), width=columns, height=rows, preserveAspectRatio="none", style=sharp
    )
    edge = element("rect", width=columns, height=rows, style=EDGE_STYLE)
    return Tile(
        drawing(columns, rows, description, [image, *over, edge]),
        columns * scale, rows * scale, description, tuple(caption),
    )  # fmt: skip


def curve_tile(
    curve: np.ndarray,
    low: float,
    high: float,
    description: str,
    caption: Sequence[str] = (),
    *,
    under: Iterable[Markup] = (),
    width: float = CURVE_WIDTH,
) -> Tile:
    """Values one after the other as a line between `low` (bottom) and `high` (top), with a line at zero.

    Args:
        under: elements behind the curve, whose x counts samples and whose y goes from 0 (top) to 100.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    span = (high - low) or 1.0
    heights = 98 - 96 * (np.asarray(curve, np.float64) - low) / span
    places = np.arange(len(heights)) + 0.5  # the middle of each sample
    if len(heights) > MOST_POINTS:
        starts = np.arange(MOST_POINTS // 2) * len(heights) // (MOST_POINTS // 2)
        extremes = np.stack([np.minimum.reduceat(heights, starts), np.maximum.reduceat(heights, starts)], 1)
        places, heights = np.repeat(places[starts], 2), extremes.reshape(-1)
    zero = 98 + 96 * low / span
    parts = [
        *under,
        element("line", x1=0, x2=len(curve), y1=zero, y2=zero, style=ZERO_STYLE),
        element("path", d=path(zip(places, heights, strict=True)), style=CURVE_STYLE),
    ]
    # Samples and values have no common unit: the drawing is stretched to its place.
    picture = drawing(len(curve), 100, description, parts, preserveAspectRatio="none")
    return Tile(picture, width, CURVE_HEIGHT, description, tuple(caption))


def strip(slices: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures of one height side by side, with a column of middle grey between them.

    >>> strip([np.zeros((1, 2), np.uint8), np.ones((1, 1), np.uint8)]).tolist()
    [[0, 0, 128, 1]]
    """
    parts: list[np.ndarray] = []
    for one in slices:
        gap = np.full_like(one[:, :1], 128)
        parts += [one] if not parts else [gap, one]
    return np.concatenate(parts, axis=1)
