"""`lenrek find-rate DATA`: at which learning rate a network learns fastest."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from lenrek.cli.console import emit
from lenrek.cli.pictures import check_picture
from lenrek.cli.subject import parse_size
from lenrek.cli.train import Optimizer

WHO = "find-rate"


def find_rate(
    data: Annotated[str, typer.Argument(help="What lenrek train takes.")],
    model: Annotated[str | None, typer.Option(help="An architecture. Default: lenet5.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="A trained network to begin with.")] = None,
    steps: Annotated[int, typer.Option(help="Of training, at most.")] = 100,
    seed: Annotated[int, typer.Option(help="Of weights, split, order and augmentation.")] = 0,
    batch_size: Annotated[int, typer.Option(help="Samples per step.")] = 128,
    size: Annotated[str | None, typer.Option(help="Input size: 96 or 64x96.")] = None,
    optimizer: Annotated[Optimizer, typer.Option(help="Optimiser.")] = Optimizer.adamw,
    augment: Annotated[str, typer.Option(help="A policy.")] = "none",
    out: Annotated[Path | None, typer.Option(help="Draw loss against rate into FILE.svg.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Train for a moment at rates from tiny to far too large; suggest the one at which the loss falls fastest."""
    from lenrek.training.find_rate import find_learning_rate

    check_picture(out, WHO)
    options: dict[str, Any] = dict(
        seed=seed, batch_size=batch_size, size=parse_size(size, WHO), optimizer=optimizer.value, augment=augment
    )
    found = find_learning_rate(data, model, start=start, steps=steps, **options)
    if out is not None:
        from lenrek.cli.pictures import write_pictures
        from lenrek.drawing.plot import Curve, line_plot

        points = [(math.log10(rate), value) for rate, value in zip(found.rates, found.losses, strict=True)]
        chart = line_plot(
            "Loss", "learning rate, powers of ten", [Curve("loss", points)], "{:.3g}".format,
            x_ticks=range(math.floor(points[0][0]), math.ceil(points[-1][0]) + 1),
            mark=(math.log10(found.suggestion), "suggested"),
        )  # fmt: skip
        write_pictures(out, "Loss against learning rate", [("Loss against learning rate", chart)], "")
    if json:
        emit(found.to_json())
        return
    print(f"rate      {found.suggestion:g}  (lenrek train … --lr {found.suggestion:g})")
    print(f"tried     {found.rates[0]:g} to {found.rates[-1]:g} in {len(found.rates)} steps")
    if out is not None:
        print(f"picture   {out}")
