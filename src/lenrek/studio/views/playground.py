"""The Playground view: convolution arithmetic on numbers that one can change, and the matrix of it."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from lenrek.drawing.arithmetic.work import Work
from lenrek.errors import OptionError
from lenrek.studio.session import Session

MOST_SIDE, MOST_KERNEL, MOST_PADDING = 16, 7, 6
MOST_ENTRIES = 20_000  # of a matrix that is drawn
Side = Annotated[int, Field(ge=1, le=MOST_SIDE)]
Sides = Annotated[list[Side], Field(min_length=1, max_length=2)]
Kernel = Annotated[list[Annotated[int, Field(ge=1, le=MOST_KERNEL)]], Field(min_length=1, max_length=2)]
Added = Annotated[list[Annotated[int, Field(ge=0, le=MOST_PADDING)]], Field(min_length=1, max_length=2)]
Number = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
Numbers = Annotated[list[Number], Field(max_length=MOST_SIDE**2)]


class Asked(BaseModel):
    """One operation on one channel; lists have an entry per axis, numbers come row by row."""

    model_config = ConfigDict(extra="forbid")

    operation: Literal[
        "correlate", "convolve", "correlate_transposed", "convolve_transposed", "max", "average", "norm"
    ] = "correlate"
    size: Sides = [5, 6]
    kernel_size: Kernel = [3, 3]
    samples: Numbers | None = Field(None, description="None: digits.")
    weights: Numbers | None = Field(None, description="None: whole numbers without symmetry.")
    stride: Kernel = [1, 1]
    dilation: Kernel = [1, 1]
    padding: Added | Literal["valid", "same", "full", "causal"] = [0, 0]
    output_padding: Added = [0, 0]
    boundary: Literal["zeros", "reflect", "symmetric", "replicate", "circular", "ignore"] | Number = "zeros"
    ceil_mode: bool = False
    show: Literal["numbers", "colours", "both"] = "numbers"
    step: Annotated[int | None, Field(ge=0, description="The output that is looked at; None: one that reads much.")] = (
        None
    )


class Drawn(BaseModel):
    """What `Asked` comes to."""

    svg: str = Field(description="Cells carry data-cell: x:channel,row,column of input, w of kernel, y of output.")
    step: int
    steps: int
    told: str
    size: list[str]
    samples: list[float]
    weights: list[float] | None
    out_size: list[int]


class Matrix(BaseModel):
    """The operation as a matrix times the flattened input."""

    rows: int
    columns: int
    entries: list[tuple[int, int, float]] = Field(description="(row, column, value) of what is not zero.")
    none: str = Field(description="Why there is no matrix; empty where there is one.")


def router(session: Session) -> APIRouter:
    """The routes of the view; they need nothing of the session."""
    routes = APIRouter()

    @routes.post("/draw")
    async def draw(asked: Asked) -> Drawn:
        """The picture of one step, with the numbers on it."""
        return await run_in_threadpool(_draw, asked)

    @routes.post("/matrix")
    async def matrix(asked: Asked) -> Matrix:
        """The matrix of a linear operation; row by row the outputs, column by column the samples."""
        return await run_in_threadpool(_matrix, asked)

    @routes.get("/colours.css", response_class=Response)
    async def colours() -> Response:
        """The colours of the picture's cells, for the page's light and dark."""
        from lenrek.drawing.scene.as_svg import page_style

        return Response(page_style(), media_type="text/css")

    return routes


def _draw(asked: Asked) -> Drawn:
    from lenrek.drawing.arithmetic.draw import best_step, numbers_of
    from lenrek.drawing.arithmetic.layout import lay_out
    from lenrek.drawing.arithmetic.placed import Taste
    from lenrek.drawing.arithmetic.words import in_words, size_sums
    from lenrek.drawing.scene.as_svg import as_stepped_svg

    work = _worked(asked)
    step = best_step(work) if asked.step is None else min(asked.step, len(work.steps) - 1)
    return Drawn(
        svg=str(as_stepped_svg(lay_out(work, Taste(asked.show, title="", only=step)))),
        step=step,
        steps=len(work.steps),
        told=in_words(work, work.steps[step]),
        size=size_sums(work),
        samples=numbers_of(work).ravel().tolist(),
        weights=None if work.weight is None else work.weight.ravel().tolist(),
        out_size=list(work.y.shape[1:]),
    )


def _worked(asked: Asked) -> Work:
    return _work(asked.model_copy(update={"step": None, "show": "numbers"}).model_dump_json())


@lru_cache(maxsize=8)
def _work(text: str) -> Work:
    """The operation, kept while one goes through its steps."""
    import numpy as np

    from lenrek.drawing.arithmetic.convolution import work_convolution
    from lenrek.drawing.arithmetic.pooling import work_pooling
    from lenrek.drawing.arithmetic.transposed import work_transposed

    asked = Asked.model_validate_json(text)
    for name, values in (("samples", asked.samples), ("weights", asked.weights)):
        shape = asked.size if name == "samples" else asked.kernel_size
        if values is not None and len(values) != prod(shape):
            raise OptionError(
                f"playground: {name} has {len(values)} numbers, expected {' · '.join(map(str, shape))} = {prod(shape)}."
            )
    x: Any = (1, *asked.size) if asked.samples is None else np.reshape(asked.samples, (1, *asked.size))
    kernel = (1, 1, *asked.kernel_size)
    weight: Any = kernel if asked.weights is None else np.reshape(asked.weights, kernel)
    same: dict[str, Any] = {"stride": asked.stride, "padding": asked.padding, "dilation": asked.dilation}
    kind = asked.operation
    if kind in ("max", "average", "norm"):
        return work_pooling(
            x, asked.kernel_size, **same, ceil_mode=asked.ceil_mode, kind=kind, boundary=asked.boundary
        )  # fmt: skip
    boundary: Any = asked.boundary
    operation = kind.removesuffix("_transposed")
    if kind.endswith("_transposed"):
        extra = asked.output_padding
        return work_transposed(x, weight, **same, output_padding=extra, boundary=boundary, operation=operation)
    return work_convolution(x, weight, **same, boundary=boundary, operation=operation)


def _matrix(asked: Asked) -> Matrix:
    """By basis vectors for a mean, else from the kernel itself."""
    import torch

    from lenrek import ops

    work = _worked(asked)
    rows, columns = prod(work.y.shape), prod(asked.size)
    none = ""
    if asked.operation in ("max", "norm"):
        none = f"{'A maximum' if asked.operation == 'max' else 'A norm'} is not linear: it has no matrix."
    elif not isinstance(asked.boundary, str) and asked.boundary != 0:
        none = "With a number other than zero around the input it is not linear: a matrix alone does not do it."
    if none:
        return Matrix(rows=rows, columns=columns, entries=[], none=none)
    same: dict[str, Any] = {"stride": asked.stride, "padding": asked.padding, "dilation": asked.dilation}
    boundary: Any = asked.boundary
    if asked.operation == "average":

        def mean(x: torch.Tensor) -> torch.Tensor:
            return ops.average_pool(x, asked.kernel_size, **same, ceil_mode=asked.ceil_mode, boundary=boundary)

        found = ops.to_dense(mean, (1, *asked.size), dtype=torch.float64).weight.detach().to_sparse()
    else:
        weight = torch.from_numpy(work.weight)
        operation: Any = asked.operation.removesuffix("_transposed")
        if asked.operation.endswith("_transposed"):
            found = ops.filter_matrix_transposed(
                weight, asked.size, **same, output_padding=asked.output_padding, boundary=boundary, operation=operation
            )
        else:
            found = ops.filter_matrix(weight, asked.size, **same, boundary=boundary, operation=operation)
    found = found.coalesce()
    places, values = found.indices().tolist(), found.values().tolist()
    if len(values) > MOST_ENTRIES:
        text = f"The matrix has {len(values):,} entries: too many to draw."
        return Matrix(rows=rows, columns=columns, entries=[], none=text)
    entries = [(r, c, v) for r, c, v in zip(*places, values, strict=True) if v]
    return Matrix(rows=rows, columns=columns, entries=entries, none="")
