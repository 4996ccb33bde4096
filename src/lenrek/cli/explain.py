"""`lenrek explain MODEL FILES…`: what a trained network sees in files, on one page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lenrek.cli.console import emit, table
from lenrek.cli.pictures import check_picture
from lenrek.data.shown import tell
from lenrek.errors import OptionError

if TYPE_CHECKING:
    from lenrek.explain.page.page import Explained
    from lenrek.explain.page.question import Question, Sample

WHO = "explain"
USUAL = ("grad-cam", "integrated-gradients", "occlusion")


def explain(
    model: Annotated[
        str, typer.Argument(help="A run's folder, a model file, ARCHITECTURE:WEIGHTS, or hub:OWNER/REPOSITORY.")
    ],
    files: Annotated[list[Path], typer.Argument(help="Images, WAV files or .npy volumes, or folders of them.")],
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="grad-cam, grad-cam++, layer-cam, score-cam, integrated-gradients, occlusion; repeat for "
            f"more. Default: {', '.join(USUAL)}."
        ),
    ] = None,
    layer: Annotated[
        str | None, typer.Option(help="Whose features the CAM methods weigh. Default: the last one with places.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="The class, by name or number. Default: the one predicted for each file.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write a page with pictures: one .html file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """What speaks for a class in each file, and how far to trust the answer. --out writes the pictures."""
    from lenrek.explain.evidence.methods import OF_LAYERS, check_method
    from lenrek.explain.page.page import explain_samples, write_explanation
    from lenrek.explain.page.question import Question
    from lenrek.models.pretrained import load_pretrained

    methods = tuple(dict.fromkeys(method or USUAL))
    for one in methods:
        check_method(one, WHO)
    if layer is not None and not any(one in OF_LAYERS for one in methods):
        raise OptionError(f"{WHO}: --layer {layer} has no effect on {', '.join(methods)}.\n  Hint: leave it out.")
    check_picture(out, WHO, (".html",))
    network = load_pretrained(model)
    contract: Any = network.contract
    question = Question(network, contract, methods, layer)
    samples, damaged = _samples(question, files, target)
    explained = explain_samples(question, samples)
    if out is not None:
        write_explanation(out, explained, f"What {model} sees")
        tell(f"page  {out}")
    if json:
        emit({"model": model, **explained.to_dict()})
    else:
        _print(explained)
    if damaged:
        raise typer.Exit(1)


def _samples(question: Question, files: list[Path], target: str | None) -> tuple[list[Sample], bool]:
    """The files that can be read, each with its posterior and the class asked about; whether others cannot."""
    import numpy as np
    import torch

    from lenrek.data.load import load_samples
    from lenrek.data.normalise import normalise
    from lenrek.data.problems import sentences
    from lenrek.data.unlabelled import unlabelled_source
    from lenrek.explain.evidence.network import scores_of
    from lenrek.explain.evidence.target import read_target
    from lenrek.explain.page.question import Sample

    contract = question.contract
    source = unlabelled_source(files, contract, WHO)
    everything = np.arange(len(source))
    found = []
    for batch in load_samples(source, contract, mode="stream").batches(everything, 1):
        if not len(batch.x):
            continue
        x = normalise(batch.x, contract)
        with torch.no_grad():
            scores = scores_of(question.network, x, WHO)
        asked: Any = target
        if target is not None and target not in contract.classes and target.isdecimal():
            asked = int(target)
        chosen = read_target(asked, scores, contract.classes, WHO)
        posterior = scores.double().softmax(1)[0].numpy()
        name = source.names[int(batch.index[0])]
        found.append(Sample(name, batch.x[0].numpy(), x, posterior, int(chosen[0])))
    for sentence in sentences(source.problems):
        tell(sentence)
    return found, any(problem.kind == "damaged" for problem in source.problems)


def _print(explained: Explained) -> None:
    """A row for each file and method."""
    rows = []
    for sample in explained.to_dict()["samples"]:
        share = f"{sample['target']} {100 * sample['posterior'][sample['target']]:.1f} %"
        for one in sample["evidence"]["methods"]:
            kept = one["random_weights"]["correlation"]
            rows.append([
                sample["file"], share, one["method"], one["layer"],
                f"{one['deletion_auc']:.3f}", f"{one['random_deletion_auc']:.3f}",
                f"{one['insertion_auc']:.3f}", f"{one['random_insertion_auc']:.3f}",
                "–" if kept is None else f"{kept:.2f}",
            ])  # fmt: skip
    columns = ["file", "class", "method", "layer", "deletion", "random", "insertion", "random", "with random weights"]
    table(columns, rows, numeric=(4, 5, 6, 7, 8))
