"""`lenrek evaluate RUN DATA`: how good a trained network is on labelled data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lenrek.cli.console import accuracy_sentence, emit, table
from lenrek.cli.views import TTA, TTA_BELOW, TTA_POLICY, show_gain
from lenrek.data.shown import tell


def evaluate(
    run: Annotated[Path, typer.Argument(help="A run's folder, or a model file.")],
    data: Annotated[str, typer.Argument(help="Labelled data, as for train.")],
    part: Annotated[
        str | None, typer.Option(help="train, validation, test or all. Default: what was not trained on.")
    ] = None,
    tta: Annotated[int | None, typer.Option(help=TTA)] = None,
    tta_policy: Annotated[str | None, typer.Option(help=TTA_POLICY)] = None,
    tta_below: Annotated[float | None, typer.Option(help=TTA_BELOW)] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first damaged file.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Accuracy with its confidence interval, per-class figures and the calibration error."""
    from lenrek.data.problems import sentences
    from lenrek.training.classifier import load
    from lenrek.training.engine import PYTORCH

    classifier = load(run)
    result = classifier.evaluate(data, part=part, strict=strict, tta=tta, tta_policy=tta_policy, tta_below=tta_below)
    for sentence in sentences(classifier.problems):
        tell(sentence)
    if classifier.engine != PYTORCH:
        tell(f"Engine: {classifier.engine}.")
    views = classifier.views
    if views is not None:
        tell(views.sentence())
    if json:
        emit(result.to_json() | ({} if views is None else {"tta": views.to_json()}))
        return
    from lenrek.training.wording import percent

    number = result.num_samples
    print(f"accuracy           {accuracy_sentence(result)}")
    for k, accuracy in result.top_k.items():
        if k > 1:
            print(f"top-{k}              {percent(accuracy, number)}")
    print(f"balanced accuracy  {percent(result.balanced_accuracy, number)}")
    print(f"calibration error  {percent(result.calibration_error, number)}")
    if views is not None and views.gain is not None:
        print()
        show_gain(views.gain, result)
    rows = [
        [c.name, *(percent(share, c.support) for share in (c.precision, c.recall, c.f1)), f"{c.support:,}"]
        for c in result.per_class
    ]
    print()
    table(["class", "precision", "recall", "F1", "samples"], rows, numeric=range(1, 5))
