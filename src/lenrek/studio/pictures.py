"""Pictures as answers: small PNGs of samples, and drawings."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from fastapi.responses import Response
from PIL import Image

from lenrek.drawing.pictures import as_image, as_uint8

Described = dict[int | str, dict[str, Any]]
PNG: Described = {200: {"content": {"image/png": {}}, "description": "A picture."}}
SVG: Described = {200: {"content": {"image/svg+xml": {}}, "description": "A drawing."}}
TRACE_GREY = 128
SVG_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"


def svg(text: str) -> Response:
    """A drawing that is an image and nothing else: were it opened alone, its scripts would not run."""
    return Response(text, media_type="image/svg+xml", headers={"content-security-policy": SVG_POLICY})


def png(content: bytes) -> Response:
    """A picture. Browsers ask for it again: the next studio at this address may have other samples."""
    return Response(content, media_type="image/png")


def thumbnail(values: np.ndarray, side: int) -> bytes:
    """A sample (channels, *size) as PNG: an image, the trace of a signal, a volume's projection.

    Args:
        side: of the longer side, in pixels.
    """
    shades = as_uint8(values)
    if values.ndim == 2:
        image = _trace(shades[0], side)
    else:
        image = as_image(shades.max(1) if values.ndim == 4 else shades)
        scale = side / max(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.BILINEAR if scale < 1 else Image.Resampling.NEAREST)
    written = io.BytesIO()
    image.save(written, "PNG", compress_level=1)
    return written.getvalue()


def _trace(line: np.ndarray, side: int) -> Image.Image:
    """From the lowest to the highest value in every column, grey on a clear ground: for light pages and dark ones."""
    drawn = np.zeros((side // 2, side), np.uint8)
    rows = (side // 2 - 1) - line.astype(np.int64) * (side // 2 - 1) // 255
    for column, part in enumerate(np.array_split(rows, side)):
        if len(part):
            drawn[part.min() : part.max() + 1, column] = 255
    return Image.merge("LA", (Image.new("L", (side, side // 2), TRACE_GREY), Image.fromarray(drawn)))
