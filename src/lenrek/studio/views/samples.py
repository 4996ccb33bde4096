"""Samples for every view: those of the data, uploaded images, and what the network sees of them."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import unquote

import numpy as np
from fastapi import APIRouter, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from lenrek.errors import OptionError
from lenrek.studio.binary import DESCRIBED, binary
from lenrek.studio.pictures import PNG, png, thumbnail
from lenrek.studio.samples import DATA, FORMATS, MOST_BYTES, MOST_PIXELS, Sample
from lenrek.studio.session import Session
from lenrek.studio.uploads import read_body

MOST_LISTED = 500
MOST_NAME = 200


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
        return png(await run_in_threadpool(lambda: thumbnail(session.samples[sample].values, side)))

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
