"""Numbers for the page as they lie in memory: read as a typed array, without a parser."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from fastapi.responses import Response

SHAPE, TYPE = "X-Shape", "X-Type"
TYPES = {"uint8", "int16", "float32"}


def binary(values: np.ndarray) -> Response:
    """Little-endian, row-major; the headers X-Shape (`6,28,28`) and X-Type (`float32`) say what it is."""
    kind = values.dtype.name if values.dtype.name in TYPES else "float32"
    content = np.ascontiguousarray(values, kind)
    if sys.byteorder == "big":
        content = content.byteswap()
    headers = {SHAPE: ",".join(map(str, values.shape)), TYPE: kind}
    return Response(content.tobytes(), media_type="application/octet-stream", headers=headers)


DESCRIBED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The numbers, little-endian and row-major; the headers X-Shape and X-Type say which.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
