"""`lenrek distances MODEL DATA`: do distances between features follow the classes better than between pixels?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lenrek.cli.console import emit
from lenrek.cli.pictures import check_picture, write_pictures
from lenrek.cli.samples import show_samples

WHO = "distances"


def distances(
    model: Annotated[str, typer.Argument(help="An architecture, a run's folder or a model file.")],
    data: Annotated[str, typer.Argument(help="Labelled data, as for train; its test part where it has one.")],
    layer: Annotated[
        list[str] | None, typer.Option(help="A layer's name; repeat for more. Default: before the classifier.")
    ] = None,
    neighbours: Annotated[int, typer.Option(min=1, help="Whose majority classifies a sample.")] = 5,
    samples: Annotated[int, typer.Option(min=3, help="How many samples to compare, all with all.")] = 2000,
    size: Annotated[str | None, typer.Option(help="Input size of an architecture: 96 or 64x96.")] = None,
    out: Annotated[Path | None, typer.Option(help="Draw the ROC curves: a .svg or .html file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """ROC-AUC, k-NN accuracy and retrieval (mAP) by distance between inputs and between features."""
    from lenrek.explain.distances import compare_distances

    check_picture(out, WHO)
    shown = show_samples(model, data, samples, size, WHO)
    found = compare_distances(shown.network, shown.x, shown.labels, layer or None, k=neighbours)
    if out is not None:
        charts = [
            (f"Of the pairs of one class, how many are nearer than so many wrong pairs; {metric}.", found.chart(metric))
            for metric in ("euclidean", "cosine")
        ]
        write_pictures(out, f"Distances by {model}", charts, str(found))
    if json:
        emit(found.to_json())
    else:
        print(found)
