"""Samples for every view: those of the data, uploaded images, and what the network sees of them."""

from __future__ import annotations

import io
from typing import Annotated, Any
from urllib.parse import unquote

import numpy as np
from fastapi import APIRouter, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from PIL import Image

from lenrek.errors import OptionError
from lenrek.studio.binary import DESCRIBED, binary
from lenrek.studio.samples import DATA, FORMATS, MOST_BYTES, MOST_PIXELS, Sample
from lenrek.studio.session import Session
from lenrek.studio.uploads import read_body

MOST_LISTED = 500
MOST_NAME = 200
PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}, "description": "A picture."}}


def router(session: Session) -> APIRouter:
    """The routes that all views share."""
    routes = APIRouter()

    def find(first: int, count: int, label: str | None) -> dict[str, Any]:
        from lenrek.data.shown import shown

        source = session.source
        indices = np.arange(len(source))
        if label is not None:
            if label not in source.classes:
                raise OptionError(f"studio: {source.name} has no class {shown(label)!r}.")
            indices = np.flatnonzero(source.labels == source.classes.index(label))
        return {
            "data": shown(source.name),
            "kind": source.kind,
            "classes": list(source.classes),
            "count": len(indices),
            "samples": [
                {
                    "id": f"{DATA}-{index}",
                    "name": shown(source.names[index]),
                    "label": source.classes[source.labels[index]],
                }
                for index in indices[first : first + count].tolist()
            ],
        }

    @routes.get("/list")
    async def list_samples(
        first: Annotated[int, Query(ge=0)] = 0,
        count: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 24,
        label: Annotated[str | None, Query(description="Only those of this class.")] = None,
    ) -> dict[str, Any]:
        """Samples of the data, in its order."""
        return await run_in_threadpool(find, first, count, label)

    @routes.get("/one")
    async def one(sample: str) -> dict[str, Any]:
        """A sample's name, label and the shape that the network sees."""
        return described(await run_in_threadpool(session.samples.__getitem__, sample))

    @routes.get("/values", responses=DESCRIBED, response_class=Response)
    async def values(sample: str) -> Response:
        """What the network sees of a sample, before normalisation: (channels, *size)."""
        return binary((await run_in_threadpool(session.samples.__getitem__, sample)).values)

    @routes.get("/picture", responses=PNG, response_class=Response)
    async def picture(
        sample: str, side: Annotated[int, Query(ge=8, le=1024, description="Of the longer side, in pixels.")] = 96
    ) -> Response:
        """A small picture of a sample: an image, the trace of a signal, a volume's projection."""
        return Response(
            await run_in_threadpool(lambda: thumbnail(session.samples[sample].values, side)),
            media_type="image/png",
            headers={"cache-control": "private, max-age=3600"},
        )

    @routes.get("/limits")
    async def limits() -> dict[str, Any]:
        """What may be uploaded."""
        return {"bytes": MOST_BYTES, "pixels": MOST_PIXELS, "formats": list(FORMATS)}

    @routes.post("/upload")
    async def upload(
        request: Request,
        x_name: Annotated[str, Header(description="The file's name, percent-encoded.")] = "image",
    ) -> dict[str, Any]:
        """Keep an image: the body is the file. The answer holds the id by which the other routes know it."""
        content = await read_body(request, MOST_BYTES)
        name = unquote(x_name)[:MOST_NAME]
        return described(await run_in_threadpool(session.samples.add, content, name))

    return routes


def described(sample: Sample) -> dict[str, Any]:
    """JSON-ready."""
    return {"id": sample.id, "name": sample.name, "label": sample.label, "shape": list(sample.values.shape)}


def thumbnail(values: np.ndarray, side: int) -> bytes:
    """A sample as PNG."""
    shades = _shades(values)
    if values.ndim == 2:
        image = _trace(shades[0], side)
    else:
        flat = shades.max(1) if values.ndim == 4 else shades
        image = Image.fromarray(np.ascontiguousarray(flat.transpose(1, 2, 0) if len(flat) == 3 else flat[0]))
        scale = side / max(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.BILINEAR if scale < 1 else Image.Resampling.NEAREST)
    written = io.BytesIO()
    image.save(written, "PNG", compress_level=1)
    return written.getvalue()


def _shades(values: np.ndarray) -> np.ndarray:
    if values.dtype == np.uint8:
        return values
    numbers = np.nan_to_num(values.astype(np.float32))
    low, high = numbers.min(), numbers.max()
    return np.rint(255 * (numbers - low) / ((high - low) or 1)).astype(np.uint8)


def _trace(line: np.ndarray, side: int) -> Image.Image:
    """The lowest and highest value in every column."""
    picture = np.full((side // 2, side), 255, np.uint8)
    rows = (side // 2 - 1) - line.astype(np.int64) * (side // 2 - 1) // 255
    for column, part in enumerate(np.array_split(rows, side)):
        if len(part):
            picture[part.min() : part.max() + 1, column] = 70
    return Image.fromarray(picture)
