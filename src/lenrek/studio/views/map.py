"""The Map view: the latent space of the store or of the data, on a plane."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from lenrek.studio.pictures import SVG, svg
from lenrek.studio.session import Session

if TYPE_CHECKING:
    from lenrek.explain.features.latent_map import LatentMap

Of = Literal["data", "store"]
Method = Literal["pca", "umap"]
SAMPLES, MOST_SAMPLES = 500, 5000
MOST_KEPT = 8  # of vectors, and of maps
NO_LABEL = ""


def router(session: Session) -> APIRouter:
    """The routes of the view."""
    routes = APIRouter()

    @lru_cache(MOST_KEPT)
    def vectors(of: Of, samples: int) -> tuple[np.ndarray, list[str], list[str], list[str]]:
        """Vectors, ids, names and labels."""
        return _of_store(session, samples) if of == "store" else _of_data(session, samples)

    @lru_cache(MOST_KEPT)
    def found(of: Of, method: Method, samples: int) -> LatentMap:
        from lenrek.explain.features.latent_map import latent_map

        return latent_map(vectors(of, samples)[0], method)

    def tell(of: Of, method: Method, samples: int) -> dict[str, Any]:
        from lenrek.data.shown import shown
        from lenrek.explain.features.map_picture import colours_of

        plane = found(of, method, samples)
        _, ids, names, labels = vectors(of, samples)
        colours = colours_of(labels)
        known = [*colours, *([NO_LABEL] if NO_LABEL in labels or not colours else [])]
        number = {label: at for at, label in enumerate(known)}
        return {
            "caption": plane.caption,
            "trustworthiness": plane.trustworthiness,
            "explained": list(plane.explained),
            "ids": ids,
            "names": [shown(name) for name in names],
            "labels": [{"name": shown(label), "colour": colours.get(label)} for label in known],
            "label": [number[label] for label in labels],
            "x": plane.points[:, 0].tolist(),
            "y": plane.points[:, 1].tolist(),
        }

    @routes.get("/about")
    async def about() -> dict[str, Any]:
        """What can be mapped, the first by default; a store's vectors are there already."""
        there = ["store"] if session.store_name is not None else []
        return {"of": [*there, *(["data"] if session.model_name is not None else [])]}

    @routes.get("/points")
    async def points(
        request: Request,
        of: Of,
        method: Method = "pca",
        samples: Annotated[
            int, Query(ge=4, le=MOST_SAMPLES, description="At most so many, evenly spaced.")
        ] = SAMPLES,
    ) -> dict[str, Any]:  # fmt: skip
        """Samples with their places on the plane, and how far to believe them. Ids are those of `/api/samples` for the
        data, "row-17" for a store."""
        return await session.calls.run(request, tell, of, method, samples)

    @routes.get("/map.svg", responses=SVG, response_class=Response)
    async def sheet(
        request: Request,
        of: Of,
        method: Method = "pca",
        samples: Annotated[int, Query(ge=4, le=MOST_SAMPLES)] = SAMPLES,
    ) -> Response:
        """The same as a drawing."""

        def draw() -> str:
            from lenrek.drawing.plot import standalone
            from lenrek.explain.features.map_picture import draw_map

            _, _, names, labels = vectors(of, samples)
            return standalone(draw_map(found(of, method, samples), names, labels))

        return svg(await session.calls.run(request, draw))

    return routes


def _of_data(session: Session, samples: int) -> tuple[np.ndarray, list[str], list[str], list[str]]:
    from lenrek.explain.features.vectors import sample_vectors
    from lenrek.studio.samples import DATA

    found = sample_vectors(session.classifier, session.source, limit=samples)
    return found.vectors, [f"{DATA}-{index}" for index in found.index], list(found.names), list(found.labels)


def _of_store(session: Session, samples: int) -> tuple[np.ndarray, list[str], list[str], list[str]]:
    from lenrek.data.evenly import evenly_spaced

    store = session.store
    held = store.vectors()
    order = evenly_spaced(len(held), samples)
    ids = held.ids[order].tolist()
    rows = store.table.take(ids, ["path", "label"])
    names, labels = [row["path"] for row in rows], [row["label"] or NO_LABEL for row in rows]
    return held.at(order), [f"row-{row}" for row in ids], names, labels
