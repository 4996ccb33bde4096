"""The Network view: layers with what they cost and see, their filters, and their maps of one sample."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from lenrek.errors import OptionError
from lenrek.studio.binary import DESCRIBED, binary
from lenrek.studio.pictures import SVG, svg
from lenrek.studio.recording import Recordings
from lenrek.studio.session import Session

Scale = Literal["common", "own"]
Theme = Literal["auto", "light", "dark"]


def router(session: Session) -> APIRouter:
    """The routes of the view."""
    routes = APIRouter()
    recordings = Recordings(session)

    @cache
    def find_layers() -> dict[str, Any]:
        from lenrek.explain.features.weights import convolutions
        from lenrek.explain.receptive import receptive_field
        from lenrek.explain.summary import summary

        classifier = session.classifier
        found = summary(classifier.network).to_dict()
        fields = {layer["name"]: layer["fields"] for layer in receptive_field(classifier.network).to_dict()["layers"]}
        with_filters = set(convolutions(classifier.network))
        axes = len(classifier.contract.size)
        for row in found["rows"]:
            row["fields"] = fields.get(row["name"], [])[:axes]
            row["filters"] = row["name"].partition("#")[0] in with_filters
        return found | {
            "architecture": classifier.architecture,
            "trained": session.trained,
            "contract": classifier.contract.to_json(),
        }

    @routes.get("/layers")
    async def layers(request: Request) -> dict[str, Any]:
        """Every layer: volumes, parameters, multiply-accumulates, and per axis of the input its receptive field."""
        return await session.calls.run(request, find_layers)

    @routes.get("/picture.svg", responses=SVG, response_class=Response)
    async def picture(request: Request, theme: Theme = "auto") -> Response:
        """The network's volumes as boxes in a row."""

        def draw() -> str:
            from lenrek.explain.network_picture import draw_network

            return draw_network(session.classifier.network, title="").to_svg(theme=theme)

        return svg(await session.calls.run(request, draw))

    @routes.get("/recorded")
    async def recorded(request: Request, sample: str) -> dict[str, Any]:
        """The layers that have maps of a sample, with their shapes; from then on `maps` has them at hand."""
        found = await session.calls.run(request, recordings.__getitem__, sample)
        return {
            "layers": {name: list(values.shape) for name, values in found.layers.items()},
            "time_s": found.time_s,
        }

    @routes.get("/maps", responses=DESCRIBED, response_class=Response)
    async def maps(request: Request, sample: str, layer: str = "") -> Response:
        """What a layer computes of a sample: (channels, *size)."""
        return binary(await session.calls.run(request, lambda: recordings[sample][layer].numpy()))

    @routes.get("/map")
    async def one_map(
        request: Request, sample: str, channel: Annotated[int, Query(ge=0)], layer: str = ""
    ) -> dict[str, Any]:
        """One channel of a layer's maps, as numbers."""

        def find() -> dict[str, Any]:
            values = recordings[sample][layer]
            if channel >= len(values):
                raise OptionError(f"studio: channel is {channel}, but {layer or 'the output'} has {len(values)}.")
            return {"layer": layer, "channel": channel, "values": values[channel].tolist()}

        return await session.calls.run(request, find)

    @routes.get("/maps.svg", responses=SVG, response_class=Response)
    async def maps_sheet(request: Request, sample: str, layer: str = "", scale: Scale = "common") -> Response:
        """The strongest maps of a layer, drawn on one sheet."""

        def draw() -> str:
            from lenrek.explain.features.maps import FeatureMaps

            return FeatureMaps(layer, recordings[sample][layer].numpy()).sheet(scale=scale).to_svg()

        return svg(await session.calls.run(request, draw))

    @routes.get("/filters.svg", responses=SVG, response_class=Response)
    async def filter_sheet(request: Request, layer: str, scale: Scale = "common") -> Response:
        """The filters of a convolution, drawn on one sheet."""

        def draw() -> str:
            from lenrek.explain.features.filters import filters

            return filters(session.classifier, layer.partition("#")[0]).sheet(scale=scale).to_svg()

        return svg(await session.calls.run(request, draw))

    return routes
