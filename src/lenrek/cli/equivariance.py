"""`lenrek equivariance MODEL DATA`: does the network do the same to a moved, turned or brighter input?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lenrek.cli.console import emit
from lenrek.cli.pictures import check_picture, write_pictures
from lenrek.cli.samples import parse_numbers, show_samples

WHO = "equivariance"


def equivariance(
    model: Annotated[str, typer.Argument(help="An architecture, a run's folder or a model file.")],
    data: Annotated[str, typer.Argument(help="Labelled data, as for train; its test part where it has one.")],
    transform: Annotated[str, typer.Option(help="shift, flip, rotation, scaling, contrast or brightness.")] = "shift",
    sizes: Annotated[
        str | None, typer.Option(help="Of the transform: samples, degrees, factors … as 1,2.5,4. Default: usual ones.")
    ] = None,
    layer: Annotated[str, typer.Option(help="Whose output to compare. Default: the network's.")] = "",
    axis: Annotated[int | None, typer.Option(help="Of a shift or flip: 0 is the first. Default: the last.")] = None,
    boundary: Annotated[
        str | None, typer.Option(help="What a shift lets in: zeros, circular, reflect, symmetric or replicate.")
    ] = None,
    samples: Annotated[int, typer.Option(min=1, help="How many samples to look at.")] = 200,
    size: Annotated[str | None, typer.Option(help="Input size of an architecture: 96 or 64x96.")] = None,
    out: Annotated[Path | None, typer.Option(help="Draw the curves: a .svg or .html file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Relative error of G(T f) against T(G f) over the size of T, with borders and away from them; decisions kept."""
    from lenrek.explain.equivariance import equivariance as measure
    from lenrek.explain.transforms import read_transform

    check_picture(out, WHO)
    amounts = parse_numbers(sizes, "--sizes", WHO)
    chosen = read_transform(transform, WHO, axis=axis, boundary=boundary)
    shown = show_samples(model, data, samples, size, WHO)
    found = measure(shown.network, shown.x, chosen, amounts, layer=layer)
    if out is not None:
        charts = [
            ("Relative error against the transformed output, and change against the output as it was.", found.chart()),
            ("Share of samples whose class stays, and probability that goes to other classes.", found.decision_chart()),
        ]
        write_pictures(out, f"{model} under {chosen.describe()}", charts, str(found))
    if json:
        emit(found.to_json())
    else:
        print(found)
