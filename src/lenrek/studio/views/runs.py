"""The Runs view: curves and results of trainings, also while they go on."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from lenrek.data.shown import shown
from lenrek.errors import DataError, OptionError
from lenrek.studio.pictures import PNG, png, thumbnail
from lenrek.studio.run_answers import AllAnswers
from lenrek.studio.run_charts import charts_of, compared
from lenrek.studio.run_files import RunFiles, check_inside, find_run, find_runs
from lenrek.studio.samples import DATA
from lenrek.studio.session import Session

MOST_PICTURES = 200
HTML: dict[int | str, dict[str, Any]] = {200: {"content": {"text/html": {}}, "description": "A page."}}
REPORT_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox allow-downloads"


def router(session: Session) -> APIRouter:
    """The routes of the view."""
    routes = APIRouter()
    answers = AllAnswers(session)

    @routes.get("/list")
    async def list_runs() -> dict[str, Any]:
        """The runs, the newest first, and what became of each."""
        return await run_in_threadpool(lambda: {"runs": [described(run) for run in find_runs(session.runs).values()]})

    @routes.get("/one")
    async def one(run: str) -> dict[str, Any]:
        """A run's settings, its epochs, its curves as drawings, and its figures once it is finished."""

        def read() -> dict[str, Any]:
            found = find_run(session.runs, run)
            return {
                "stamp": found.stamp,  # before what it stands for is read: a change meanwhile is seen then
                **described(found),
                "config": found.config,
                "history": found.history,
                "charts": charts_of(found.config, found.history),
                "evaluations": found.evaluations,
                "report": found.folder.report.is_file(),
            }

        return await run_in_threadpool(read)

    @routes.get("/stamp")
    async def stamp(run: str) -> dict[str, Any]:
        """Whether a run has gone on: its stamp is another one then."""

        def read() -> dict[str, Any]:
            found = find_run(session.runs, run)
            return {"stamp": found.stamp, "state": found.state}

        return await run_in_threadpool(read)

    @routes.get("/compared")
    async def compare(
        column: Annotated[str, Query(max_length=60, description="Of metrics.jsonl.")] = "validation_accuracy",
        run: Annotated[list[str] | None, Query(description="Which runs; by default the newest eight.")] = None,
    ) -> dict[str, Any]:
        """One quantity of several runs in one drawing; without any run that has it, the drawing is empty."""

        def draw() -> dict[str, Any]:
            chosen = [find_run(session.runs, name) for name in run] if run else list(find_runs(session.runs).values())
            return {"column": column, "svg": compared(column, chosen)}

        return await run_in_threadpool(draw)

    @routes.get("/report", responses=HTML, response_class=Response)
    async def report(run: str) -> Response:
        """The report of a finished run: a page that may run nothing."""

        def read() -> bytes:
            folder = find_run(session.runs, run).folder
            path = folder.report
            check_inside(folder, path)
            try:
                return path.read_bytes()
            except OSError as error:
                raise DataError(f"studio: {shown(path)} cannot be read: {error.strerror}.") from error

        content = await run_in_threadpool(read)
        return Response(content, media_type="text/html", headers={"content-security-policy": REPORT_POLICY})

    @routes.get("/cell")
    async def cell(
        request: Request, run: str, truth: Annotated[int, Query(ge=0)], said: Annotated[int, Query(ge=0)]
    ) -> dict[str, Any]:
        """The test samples of a class that the network called another (or the same), the surest first."""

        def find() -> dict[str, Any]:
            found = answers.of(find_run(session.runs, run))
            classes = found.contract.classes
            if max(truth, said) >= len(classes):
                raise OptionError(f"studio: there are {len(classes)} classes, from 0 on.")
            places = found.cell(truth, said)
            return {
                "truth": classes[truth],
                "said": classes[said],
                "count": len(places),
                "samples": [
                    {
                        "index": int(found.answers.index[place]),
                        "name": shown(found.source.names[found.answers.index[place]]),
                        "posterior": float(found.answers.posteriors[place, said]),
                        "sample": f"{DATA}-{found.answers.index[place]}",
                    }
                    for place in places[:MOST_PICTURES]
                ],
            }

        return await session.calls.run(request, find)

    @routes.get("/picture", responses=PNG, response_class=Response)
    async def picture(request: Request, run: str, index: Annotated[int, Query(ge=0)]) -> Response:
        """A sample of a run's data, as its network sees it."""

        def draw() -> bytes:
            found = answers.of(find_run(session.runs, run))
            if index >= len(found.source):
                raise OptionError(f"studio: {found.source.name} has {len(found.source)} samples, from 0 on.")
            return thumbnail(np.asarray(found.source.reader.read(index, found.contract)), 96)

        content = await session.calls.run(request, draw)
        return png(content)

    return routes


def described(run: RunFiles) -> dict[str, Any]:
    """A run in a line."""
    try:
        history = run.history
        accuracy = run.evaluations.get("test", {}).get("accuracy")
    except DataError as error:
        return {"name": run.name, "state": "damaged", "problem": str(error)}
    validation = [row["validation_accuracy"] for row in history if row.get("validation_accuracy") is not None]
    return {
        "name": run.name,
        "state": run.state,
        "epochs": len(history),
        "planned": run.config.get("epochs"),
        "test_accuracy": accuracy,
        "validation_accuracy": max(validation, default=None),
    }
