"""The server: the page, and for each view its JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles

from lenrek import __version__
from lenrek.data.shown import shown_lines
from lenrek.errors import LenrekError
from lenrek.studio.calls import BusyError, UnwantedError
from lenrek.studio.guard import Guard
from lenrek.studio.session import Session
from lenrek.studio.views import VIEWS

PAGE = Path(__file__).parent / "page"
GONE = 499  # as nginx says that the client closed the connection; nobody reads it


def create_app(session: Session) -> FastAPI:
    """The studio as an ASGI application, closed to all who do not know `session.token`.

    Example:
        >>> from lenrek.studio.session import Session
        >>> app = create_app(Session("lenet5"))
        >>> sorted(app.openapi()["paths"])[0]
        '/api/about'
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if session.model_name is not None:
            session.calls.begin(lambda: session.classifier)  # while the page is being read
        yield
        session.calls.close()

    app = FastAPI(
        title="lenrek studio",
        version=__version__,
        lifespan=lifespan,
        openapi_url="/api/openapi.json",
        docs_url=None,  # it would be fetched from elsewhere
        redoc_url=None,
    )

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(PAGE / "index.html", media_type="text/html")

    @app.get("/api/about", tags=["studio"])
    async def about() -> dict[str, Any]:
        """What the studio was started with."""
        return session.about()

    for name in VIEWS:
        router = import_module(f"lenrek.studio.views.{name}").router(session)
        app.include_router(router, prefix=f"/api/{name}", tags=[name])
    app.mount("/page", StaticFiles(directory=PAGE), name="page")

    @app.exception_handler(LenrekError)
    async def said(_: Request, error: LenrekError) -> JSONResponse:
        return JSONResponse({"error": shown_lines(str(error))}, 400)

    @app.exception_handler(BusyError)
    async def busy(_: Request, error: BusyError) -> JSONResponse:
        return JSONResponse({"error": "The studio is busy: too many requests wait."}, 503, {"retry-after": "1"})

    @app.exception_handler(UnwantedError)
    async def unwanted(_: Request, error: UnwantedError) -> Response:
        return Response(status_code=GONE)

    app.add_middleware(Guard, token=session.token)
    return app
