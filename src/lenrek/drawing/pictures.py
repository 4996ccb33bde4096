"""Samples as pictures: images as they are, signals as waveforms, volumes as projections; PNG inside the page."""

from __future__ import annotations

import base64
import io

import numpy as np
from markupsafe import Markup
from PIL import Image

from lenrek.drawing.svg import drawing, element, path

LONGEST_SIDE_PX = 192
PIXELATED_BELOW_PX = 96
MOST_CHANNELS = 4
WAVE_WIDTH, WAVE_HEIGHT = 240, 80
VIEWS = ("along axis 1", "along axis 2", "along axis 3")


def picture(sample: np.ndarray, description: str) -> Markup:
    """A sample (channels, *size) drawn: 1-D as waveforms, 2-D as an image, 3-D as its maximum along each axis.

    uint8 is shown as it is, except that a sample of 0 and 1 alone is black and white; other types stretch from their
    smallest to their largest value. Two, four or more channels of an image or volume are averaged.
    """
    if sample.ndim == 2:
        return _waveforms(sample, description)
    pixels = as_uint8(sample)
    if sample.ndim == 3:
        return png(_small(pixels), description)
    views = (png(_small(pixels.max(axis=1 + axis)), f"{description}, {VIEWS[axis]}") for axis in range(3))
    return element("div", *views, class_="projections")


def png(pixels: np.ndarray, description: str) -> Markup:
    """uint8 (height, width) grey, (…, 3) RGB or (…, 4) RGBA as an <img> with its data inside."""
    height, width = pixels.shape[:2]
    coarse = "pixelated" if max(height, width) < PIXELATED_BELOW_PX else None
    written = element("img", src=png_source(pixels), alt=description, width=width, height=height, class_=coarse)
    return Markup(written.removesuffix("</img>"))  # img has no end tag


def png_source(pixels: np.ndarray) -> str:
    """The same as a data: address, for whatever shows pictures."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def as_uint8(sample: np.ndarray) -> np.ndarray:
    """The shades in which a sample is drawn; the same shape.

    >>> as_uint8(np.array([0, 7], np.uint8)), as_uint8(np.array([0, 1], np.uint8)), as_uint8(np.array([-2.0, 0.0, 1.0]))
    (array([0, 7], dtype=uint8), array([  0, 255], dtype=uint8), array([  0, 170, 255], dtype=uint8))
    """
    if sample.dtype == np.uint8:
        return sample if sample.max() > 1 else sample * np.uint8(255)  # voxels and masks
    values = np.nan_to_num(sample.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = values.min(), values.max()
    return np.rint(255 * (values - low) / (high - low or 1.0)).astype(np.uint8)


def as_image(pixels: np.ndarray) -> Image.Image:
    """uint8 (channels, height, width) as grey or RGB."""
    grey_or_rgb = pixels.transpose(1, 2, 0) if len(pixels) == 3 else np.rint(pixels.mean(axis=0)).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(grey_or_rgb))


def _small(pixels: np.ndarray) -> np.ndarray:
    """No larger than a report needs."""
    image = as_image(pixels)
    image.thumbnail((LONGEST_SIDE_PX, LONGEST_SIDE_PX))
    return np.asarray(image)


def _waveforms(sample: np.ndarray, description: str) -> Markup:
    """One trace per channel, the first few, all on one scale that includes zero."""
    shown = np.nan_to_num(sample[:MOST_CHANNELS].astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = min(shown.min(), 0.0), max(shown.max(), 0.0)
    parts = []
    for index, trace in enumerate(shown):
        bottom = (index + 1) * WAVE_HEIGHT - 2
        heights = bottom - (WAVE_HEIGHT - 4) * (trace - low) / (high - low or 1.0)
        zero = bottom + (WAVE_HEIGHT - 4) * low / (high - low or 1.0)
        parts.append(element("line", class_="grid", x1=0, x2=WAVE_WIDTH, y1=zero, y2=zero))
        parts.append(element("path", class_="wave", d=_trace(heights)))
    hidden = f", first {len(shown)} of {len(sample)} channels" if len(shown) < len(sample) else ""
    return drawing(WAVE_WIDTH, WAVE_HEIGHT * len(shown), description + hidden, parts, class_="waveform")


def _trace(heights: np.ndarray) -> str:
    """A line through every sample or, when there are more than fit, through the extremes of each column."""
    if len(heights) <= 2 * WAVE_WIDTH:
        return path(zip(np.linspace(0, WAVE_WIDTH, len(heights)), heights, strict=True))
    starts = np.arange(WAVE_WIDTH) * len(heights) // WAVE_WIDTH
    extremes = np.stack([np.minimum.reduceat(heights, starts), np.maximum.reduceat(heights, starts)], axis=1)
    return path((x, y) for x, column in enumerate(extremes) for y in column)
