"""The Image view: one sample, what the network says of it, and why."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from lenrek.studio.session import Session


def router(session: Session) -> APIRouter:
    """The routes of the view."""
    routes = APIRouter()

    @routes.get("/limits")
    async def limits() -> dict[str, Any]:
        """What may be uploaded."""
        from lenrek.studio.samples import FORMATS, MOST_BYTES, MOST_PIXELS

        return {"bytes": MOST_BYTES, "pixels": MOST_PIXELS, "formats": FORMATS}

    return routes
