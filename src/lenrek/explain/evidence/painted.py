"""Heat-maps drawn on what they explain: an image, a signal's curve, slices of a volume."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from lenrek.drawing.colours import ABOVE, BELOW
from lenrek.drawing.sheet import Row, Sheet
from lenrek.drawing.svg import element
from lenrek.drawing.tile import SIDE_PX, Tile, curve_tile, image_tile, strip
from lenrek.explain.evidence.result import Evidence
from lenrek.explain.features.panels import slices_of

STRONGEST = 0.8  # how much of the colour there is where a value is largest; the rest is the sample, in grey
FULL_FROM = 0.99  # of the magnitudes: a few extreme ones would leave the rest without colour
MOST_BANDS = 180  # behind a curve
WIDE = 3  # slices side by side are drawn so many times as long as an image


def painted(stored: np.ndarray, values: np.ndarray, most: float | None = None) -> np.ndarray:
    """The sample in grey, red where values speak for the class and blue where they speak against it.

    Args:
        stored: (channels, height, width), any real type; uint8 from black 0 to white 255, others from their smallest
            value to their largest.
        values: (height, width).
        most: from which magnitude on the colour is full; by default that of the highest hundredth.
    Returns:
        uint8 (height, width, 3).
    Example:
        >>> painted(np.zeros((1, 1, 2), np.uint8), np.array([[0.0, 2.0]])).tolist()
        [[[0, 0, 0], [147, 55, 34]]]
    """
    share = _shares(values, most)[..., None]
    colour = np.where(share < 0, BELOW, ABOVE)
    weight = STRONGEST * np.abs(share)
    return np.rint((1 - weight) * in_grey(stored)[..., None] + weight * colour).astype(np.uint8)


def full_colour(values: np.ndarray) -> float:
    """The magnitude from which on colour is full; the largest, where hardly any value is not zero.

    >>> full_colour(np.array([0.0] * 200 + [5.0])), full_colour(np.linspace(-1, 0, 101))
    (5.0, 0.99)
    """
    magnitudes = np.abs(values)
    return float(np.quantile(magnitudes, FULL_FROM)) or float(magnitudes.max())


def in_grey(stored: np.ndarray) -> np.ndarray:
    """(channels, *size) as brightness from 0 to 255, the channels' mean; uint8 as it is, others stretched."""
    mean = stored.astype(np.float64).mean(0)
    if stored.dtype == np.uint8 and stored.max(initial=0) > 1:  # of zeros and ones: a mask, which is stretched
        return mean
    low, high = mean.min(), mean.max()
    return 255 * (mean - low) / ((high - low) or 1.0)


def evidence_tile(
    stored: np.ndarray,
    values: np.ndarray,
    description: str,
    caption: Sequence[str] = (),
    *,
    side: float = 2 * SIDE_PX,
) -> Tile:
    """A sample (channels, *size) of one, two or three axes with its heat-map; one scale of its own.

    A volume is shown as slices along its first axis.
    """
    most = full_colour(values)
    if values.ndim == 1:
        curve = stored.astype(np.float64).mean(0)
        low, high = float(curve.min()), float(curve.max())
        bands = _bands(values, most)
        return curve_tile(curve, low, high, description, caption, under=bands, width=WIDE * side)
    if values.ndim == 2:
        return image_tile(painted(stored, values, most), description, caption, side=side)
    chosen = slices_of(len(values))
    grey = in_grey(stored)  # of the whole volume, so that slices can be compared
    slices = [painted(np.rint(grey[None, place]).astype(np.uint8), values[place], most) for place in chosen]
    return image_tile(strip(slices), description, caption, side=WIDE * side)


def _shares(values: np.ndarray, most: float | None) -> np.ndarray:
    return np.clip(values / ((full_colour(values) if most is None else most) or 1.0), -1, 1)


def _bands(values: np.ndarray, most: float) -> list[Markup]:
    """Behind a curve: a stripe for some samples each, of the largest magnitude among them."""
    shares = _shares(values, most)
    count = min(len(shares), MOST_BANDS)
    starts = np.arange(count) * len(shares) // count
    ends = np.append(starts[1:], len(shares))
    found = []
    for first, end in zip(starts.tolist(), ends.tolist(), strict=True):
        share = shares[first:end][np.abs(shares[first:end]).argmax()]
        if share:
            red, green, blue = (ABOVE if share > 0 else BELOW).astype(int).tolist()
            found.append(
                element("rect", x=first, y=0, width=end - first, height=100, fill=f"rgb({red},{green},{blue})",
                        opacity=STRONGEST * abs(float(share)), shape_rendering="crispEdges")
            )  # fmt: skip
    return found


def draw_evidence(stored: np.ndarray, *evidence: Evidence, sample: int = 0) -> Sheet:
    """A sample as it is, and with each of its heat-maps; shown by a notebook, saved by `save`.

    Args:
        stored: (channels, *size), as it is stored or shown: not normalised.
        evidence: of one batch.
        sample: which of it.
    Example:
        >>> import torch
        >>> from torch import nn
        >>> from lenrek.explain.evidence.occlusion import occlusion
        >>> x = torch.rand(2, 1, 6, 8)
        >>> sheet = draw_evidence(x[1].numpy(), occlusion(nn.Flatten(), x, 0), sample=1)
        >>> [tile.caption for tile in sheet.rows[0].tiles]
        [('the input',), ('occlusion', 'class 0')]
    """
    tiles = [evidence_tile(stored, np.zeros(stored.shape[1:]), "the input", ("the input",))]
    for one in evidence:
        of = f"{one.layer}, " if one.layer else ""
        caption = (one.method, f"{of}class {one.target[sample].item()}")
        tiles.append(evidence_tile(stored, one.values[sample].double().numpy(), ", ".join(caption), caption))
    note = "Red speaks for the class, blue against it; each map has a scale of its own."
    return Sheet("Class evidence", note, [Row(tiles)])
