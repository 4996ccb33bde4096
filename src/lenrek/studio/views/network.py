"""The Network view: layers with what they cost and see, their filters, and their maps of one sample."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from lenrek.studio.session import Session


def router(session: Session) -> APIRouter:
    """The routes of the view."""
    routes = APIRouter()

    def find_layers() -> dict[str, Any]:
        from lenrek.explain.receptive import receptive_field
        from lenrek.explain.summary import summary

        classifier = session.classifier
        found = summary(classifier.network).to_dict()
        fields = {layer["name"]: layer["fields"] for layer in receptive_field(classifier.network).to_dict()["layers"]}
        for row in found["rows"]:
            row["fields"] = fields.get(row["name"], [])
        return found | {"contract": classifier.contract.to_json(), "architecture": classifier.architecture}

    @routes.get("/layers")
    async def layers(request: Request) -> dict[str, Any]:
        """Every layer: volumes, parameters, multiply-accumulates, and per axis of the input its receptive field."""
        return await session.calls.run(request, find_layers)

    return routes
