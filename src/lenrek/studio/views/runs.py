"""The Runs view: curves and results of trainings, also while they go on."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from lenrek.studio.session import Session


def router(session: Session) -> APIRouter:
    """The routes of the view."""
    routes = APIRouter()

    @routes.get("/list")
    async def list_runs() -> dict[str, Any]:
        """The runs."""
        return {"runs": []}

    return routes
