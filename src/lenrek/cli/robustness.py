"""`lenrek robustness MODEL DATA`: the accuracy left when samples are changed on purpose, by little."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lenrek.cli.console import emit, table
from lenrek.cli.pictures import check_picture, write_pictures
from lenrek.cli.samples import parse_numbers, show_samples

WHO = "robustness"


def robustness(
    model: Annotated[str, typer.Argument(help="A run's folder or a model file.")],
    data: Annotated[str, typer.Argument(help="Labelled data, as for train; its test part where it has one.")],
    epsilon: Annotated[
        str | None, typer.Option(help="Sizes, images being 0 to 1: 0,0.01,0.03. Default: 0,1,2,4,8 of 255.")
    ] = None,
    method: Annotated[str, typer.Option(help="pgd: many steps; fgsm: one.")] = "pgd",
    norm: Annotated[
        str, typer.Option(help="linf: epsilon bounds the change of every number; l2: their Euclidean length.")
    ] = "linf",
    steps: Annotated[int | None, typer.Option(min=1, help="Of pgd. Default: 10.")] = None,
    samples: Annotated[int, typer.Option(min=1, help="How many to attack.")] = 256,
    out: Annotated[Path | None, typer.Option(help="Draw the curve: a .svg or .html file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Accuracy under FGSM or PGD for several sizes of the change."""
    from lenrek.explain.adversarial.measure import EPSILONS
    from lenrek.explain.adversarial.measure import robustness as measure

    check_picture(out, WHO)
    sizes = parse_numbers(epsilon, "--epsilon", WHO) or EPSILONS
    shown = show_samples(model, data, samples, None, WHO)
    options: dict[str, Any] = {"method": method, "norm": norm, "steps": steps}
    found = measure(shown.network, shown.x, shown.labels, sizes, **options)
    if out is not None:
        caption = f"Accuracy of {found.samples} samples, over the size of the change ({norm})."
        write_pictures(out, f"Robustness of {model}", [(caption, found.chart())], str(found))
    if json:
        emit({"model": model, **found.to_dict()})
        return
    rows = [[f"{row.epsilon:.4g}", f"{row.right:,}", f"{100 * row.accuracy:.2f} %"] for row in found.rows]
    table(["epsilon", "right", "accuracy"], rows, numeric=(0, 1, 2))
