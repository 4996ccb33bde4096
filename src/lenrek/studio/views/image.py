"""The Image view: what the network says of one sample, what speaks for it, and what the store holds that is like it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from lenrek.errors import OptionError
from lenrek.studio.binary import DESCRIBED, binary
from lenrek.studio.neighbours import Neighbours
from lenrek.studio.pictures import PNG, png
from lenrek.studio.session import Session

if TYPE_CHECKING:
    from lenrek.explain.evidence.result import Evidence
    from lenrek.training.classifier import Classifier

Target = Annotated[int | None, Query(ge=0, description="Index of the class; by default the most probable.")]
Layer = Annotated[str | None, Query(description="By default the last one whose features have a place.")]
MOST_KEPT = 32  # heat-maps: going back to one is instant
MOST_VIEWS = 32
MOST_NEIGHBOURS = 50


def router(session: Session) -> APIRouter:
    """The routes of the view."""
    routes = APIRouter()
    neighbours = Neighbours(session)

    @routes.get("/about")
    async def about(request: Request) -> dict[str, Any]:
        """What can be asked: the methods of heat-maps, whether there is a store, what other views are made of."""

        def find() -> dict[str, Any]:
            from lenrek.explain.evidence.methods import METHODS, OF_LAYERS

            classifier = session.classifier
            return {
                "classes": list(classifier.contract.classes),
                "axes": len(classifier.contract.size),
                "methods": list(METHODS),
                "of_layers": list(OF_LAYERS),
                "store": session.store_name is not None,
                "trained": session.trained,
                "trained_with": classifier.training.get("config", {}).get("augment"),
            }

        return await session.calls.run(request, find)

    @routes.get("/prediction")
    async def prediction(
        request: Request,
        sample: str,
        views: Annotated[int, Query(ge=1, le=MOST_VIEWS, description="1: the sample as it is.")] = 1,
        policy: Annotated[str | None, Query(max_length=300, description="What views are made of.")] = None,
    ) -> dict[str, Any]:
        """Posteriors of every class, as it is and averaged over views."""

        def predict() -> dict[str, Any]:
            classifier, values = as_seen(), session.samples[sample].values[None]
            (plain,) = classifier.predict(values)
            found: dict[str, Any] = {"label": plain.label, "posterior": plain.posterior, "views": None}
            if views > 1:
                (averaged,) = classifier.predict(values, tta=views, tta_policy=policy or None)
                made_by = "" if classifier.views is None else classifier.views.made_by
                found["views"] = {"label": averaged.label, "posterior": averaged.posterior, "made_by": made_by}
            return found

        return await session.calls.run(request, predict)

    @cache
    def as_seen() -> Classifier:
        """For samples that are fitted already, and must not be cropped again."""
        classifier = session.classifier
        contract = replace(classifier.contract, fit="stretch", crop_fraction=1.0)
        return replace(classifier, contract=contract)

    @lru_cache(MOST_KEPT)
    def explain(sample: str, method: str, target: int | None, layer: str | None) -> Evidence:
        from lenrek.explain.evidence.methods import class_evidence

        return class_evidence(session.classifier, session.samples.input(sample), method, layer, target)

    @routes.get("/evidence")
    async def evidence(
        request: Request, sample: str, method: str = "grad-cam", target: Target = None, layer: Layer = None
    ) -> dict[str, Any]:
        """What speaks for a class: the cells of the heat-map, and where they stand on the sample."""
        found = await session.calls.run(request, explain, sample, method, target, layer)
        told = found.to_dict()
        return {
            **{name: value[0] for name, value in told.items() if name in ("target", "score", "cells", "gap")},
            "class": session.classifier.contract.classes[told["target"][0]],
            "method": method,
            "layer": told["layer"],
            "centres": told["centres"],
            "signed": found.signed,
        }

    @routes.get("/heat", responses=DESCRIBED, response_class=Response)
    async def heat(
        request: Request, sample: str, method: str = "grad-cam", target: Target = None, layer: Layer = None
    ) -> Response:
        """The heat-map on the sample's positions: (*size)."""
        found = await session.calls.run(request, explain, sample, method, target, layer)
        return binary(found.values[0].float().numpy())

    @routes.get("/faithfulness")
    async def faithfulness(
        request: Request, sample: str, method: str = "grad-cam", target: Target = None, layer: Layer = None
    ) -> dict[str, Any]:
        """How the class's probability changes while the input is deleted and inserted in the order of the heat-map."""

        def follow() -> dict[str, Any]:
            from lenrek.explain.evidence.faithfulness import deletion_insertion

            found = explain(sample, method, target, layer)
            measured = deletion_insertion(session.classifier, session.samples.input(sample), found)
            told = measured.to_dict()
            return {name: value if name in ("method", "shares") else value[0] for name, value in told.items()}

        return await session.calls.run(request, follow)

    @routes.get("/neighbours")
    async def near(
        request: Request,
        sample: str,
        count: Annotated[int, Query(ge=1, le=MOST_NEIGHBOURS)] = 12,
    ) -> dict[str, Any]:
        """The rows of the store that are most like a sample."""
        return {"hits": await session.calls.run(request, neighbours.find, sample, count)}

    @routes.get("/neighbour", responses=PNG, response_class=Response)
    async def neighbour(request: Request, row: int) -> Response:
        """The picture of a row of the store."""
        content = await session.calls.run(request, neighbours.picture, row)
        if content is None:
            raise OptionError("studio: the picture of this row is not there any more.")
        return png(content)

    return routes
