"""`lenrek predict RUN FILES…`: what a trained network says about files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lenrek.cli.console import emit, table
from lenrek.cli.views import TTA, TTA_BELOW, TTA_POLICY
from lenrek.data.shown import tell


def predict(
    run: Annotated[Path, typer.Argument(help="A run's folder, or a model file.")],
    files: Annotated[list[Path], typer.Argument(help="Files or folders.")],
    top: Annotated[int, typer.Option(min=1, help="How many classes to show for each.")] = 3,
    tta: Annotated[int | None, typer.Option(help=TTA)] = None,
    tta_policy: Annotated[str | None, typer.Option(help=TTA_POLICY)] = None,
    tta_below: Annotated[float | None, typer.Option(help=TTA_BELOW)] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first damaged file.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line and file.")] = False,
) -> None:
    """Class and posterior of each file. Damaged files are named on stderr, and the exit status is then 1."""
    from lenrek.data.problems import sentences
    from lenrek.training.classifier import load
    from lenrek.training.engine import PYTORCH

    classifier = load(run)
    predictions = classifier.predict(files, strict=strict, tta=tta, tta_policy=tta_policy, tta_below=tta_below)
    if json:
        for p in predictions:
            emit({"file": p.name, "label": p.label, "confidence": p.confidence, "posterior": p.posterior})
    else:
        from lenrek.training.wording import percent

        rows = [[p.name, p.label, ", ".join(f"{c} {percent(share)}" for c, share in p.top(top))] for p in predictions]
        table(["file", "class", "posterior"], rows)
    for sentence in sentences(classifier.problems):
        tell(sentence)
    if classifier.engine != PYTORCH:
        tell(f"Engine: {classifier.engine}.")
    if classifier.views is not None:
        tell(classifier.views.sentence())
    if any(problem.kind == "damaged" for problem in classifier.problems):
        raise typer.Exit(1)
