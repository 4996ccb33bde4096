"""The weights of the first convolution as pictures, each filter on its own scale."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from lenrek.drawing.pictures import png
from lenrek.drawing.svg import drawing, element, path

MOST_FILTERS = 64
CURVE_WIDTH, CURVE_HEIGHT = 96, 64


def filter_pictures(weight: np.ndarray) -> list[Markup]:
    """A picture per filter, at most 64.

    Args:
        weight: (out_channels, in_channels, *kernel_size), one to three dimensions.
    """
    draw = {3: _curve, 4: _tile, 5: _slices}[weight.ndim]
    return [draw(_normalised(_seen(one)), f"filter {index}") for index, one in enumerate(weight[:MOST_FILTERS])]


def filter_caption(weight: np.ndarray) -> str:
    """How to read the pictures."""
    number, channels, *size = weight.shape
    shown = f"The first {MOST_FILTERS} of {number}" if number > MOST_FILTERS else f"All {number}"
    how = {
        3: "drawn as curves around their zero line",
        4: "as pictures, mid-grey is zero",
        5: "as slices along the first axis, mid-grey is zero",
    }[weight.ndim]
    if channels == 1:
        which = ""
    elif channels == 3 and weight.ndim == 4:
        which = " Its three input channels are the red, green and blue."
    else:
        which = f" Of its {channels} input channels each shows the one with the largest weights."
    extent = " × ".join(str(samples) for samples in size)
    return f"{shown} filters of size {extent}, {how}. Each is scaled by its own largest absolute weight.{which}"


def _seen(one: np.ndarray) -> np.ndarray:
    """The channels that are drawn: RGB together, else the strongest alone."""
    if one.ndim == 3 and len(one) == 3:
        return one
    energy = np.square(one.reshape(len(one), -1).astype(np.float64)).sum(axis=1)
    return one[[energy.argmax()]]


def _normalised(one: np.ndarray) -> np.ndarray:
    """To −1 … 1, zero staying zero."""
    values = np.nan_to_num(one.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    return values / (np.abs(values).max() or 1.0)


def _grey(values: np.ndarray) -> np.ndarray:
    return np.rint(127.5 + 127.5 * values).astype(np.uint8)


def _tile(values: np.ndarray, description: str) -> Markup:
    pixels = _grey(values)
    return png(np.ascontiguousarray(pixels.transpose(1, 2, 0)) if len(pixels) == 3 else pixels[0], description)


def _slices(values: np.ndarray, description: str) -> Markup:
    slices = (png(_grey(one), f"{description}, slice {index}") for index, one in enumerate(values[0]))
    return element("div", *slices, class_="slices")


def _curve(values: np.ndarray, description: str) -> Markup:
    middle = CURVE_HEIGHT / 2
    x = (np.arange(values.shape[1]) + 0.5) * CURVE_WIDTH / values.shape[1]
    heights = middle - (middle - 4) * values[0]
    zero = element("line", class_="grid", x1=0, x2=CURVE_WIDTH, y1=middle, y2=middle)
    line = element("path", class_="wave", d=path(zip(x, heights, strict=True)))
    return drawing(CURVE_WIDTH, CURVE_HEIGHT, description, (zero, line))
