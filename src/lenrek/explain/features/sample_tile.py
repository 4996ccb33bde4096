"""A sample, or a piece of one, as a tile: images as they are, signals as curves, volumes as slices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from markupsafe import Markup

from lenrek.drawing.svg import element
from lenrek.drawing.tile import SIDE_PX, Tile, curve_tile, image_tile, strip
from lenrek.explain.features.panels import slices_of

PADDING = np.array([203, 190, 222], np.uint8)  # lilac: in no photo by chance as a straight border
PADDING_WORDS = "Lilac lies beyond the border of the input, where the network sees its padding."


def shades(sample: np.ndarray) -> np.ndarray:
    """(channels, *size) as uint8 (*size, 3): three channels are red, green and blue, others are averaged.

    Other types than uint8, and masks of 0 and 1, stretch from the sample's smallest to its largest value.

    >>> shades(np.array([[[0, 1]]], np.uint8))[..., 0].tolist(), shades(np.array([[[0, 2]]], np.uint8))[..., 0].tolist()
    ([[0, 255]], [[0, 2]])
    """
    if sample.dtype != np.uint8 or sample.max(initial=0) == 1:
        low, high = float(sample.min()), float(sample.max())
        sample = np.rint(255 * (sample - low) / ((high - low) or 1.0)).astype(np.uint8)
    if len(sample) != 3:
        sample = np.repeat(np.rint(sample.mean(0, keepdims=True)).astype(np.uint8), 3, 0)
    return np.ascontiguousarray(np.moveaxis(sample, 0, -1))


def sample_tile(
    sample: np.ndarray,
    description: str,
    caption: Sequence[str] = (),
    *,
    box: Sequence[range] | None = None,
    side: float = SIDE_PX,
    over: Iterable[Markup] = (),
) -> Tile:
    """A sample (channels, *size), or what lies in `box` of it.

    Args:
        box: a range for each axis, which may go beyond the sample: padding is drawn in lilac.
        over: elements over an image, in its coordinates; behind the curve of a signal.
    """
    size = sample.shape[1:]
    box = [range(n) for n in size] if box is None else list(box)
    if len(size) == 1:
        return _signal(sample, box[0], description, caption, over)
    pixels = np.broadcast_to(PADDING, (*map(len, box), 3)).copy()
    into, of = inside(box, size)
    pixels[into] = shades(sample)[of]
    if len(size) == 3:
        chosen = slices_of(len(box[0]), 4)
        return image_tile(strip([pixels[at] for at in chosen]), description, caption, side=2 * side, over=over)
    return image_tile(pixels, description, caption, side=side, over=over)


def inside(box: Sequence[range], size: Sequence[int]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Of a box that may go beyond the sample, what is filled: per axis where in the box, and with what of the sample.

    >>> inside([range(-2, 3)], [9])
    ((slice(2, 5, None),), (slice(0, 3, None),))
    """
    of = tuple(slice(max(one.start, 0), min(one.stop, n)) for one, n in zip(box, size, strict=True))
    into = tuple(slice(part.start - one.start, part.stop - one.start) for part, one in zip(of, box, strict=True))
    return into, of


def _signal(sample: np.ndarray, box: range, description: str, caption: Sequence[str], over: Iterable[Markup]) -> Tile:
    """The mean of the channels, on the scale of the whole sample."""
    wave = sample.astype(np.float64).mean(0)
    piece = np.zeros(len(box))
    (into,), (of,) = inside([box], wave.shape)
    piece[into] = wave[of]
    lilac = f"fill:rgb{tuple(PADDING.tolist())}"
    beyond = [(0, into.start), (into.stop, len(box))]
    under = [element("rect", x=a, y=0, width=b - a, height=100, style=lilac) for a, b in beyond if b > a]
    return curve_tile(piece, wave.min(), wave.max(), description, caption, under=[*under, *over])
