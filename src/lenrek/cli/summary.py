"""`lenrek summary MODEL`: layers, parameters, arithmetic and memory, for one size or several."""

from __future__ import annotations

import shutil
import sys
from contextlib import nullcontext
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lenrek.cli.console import emit, table
from lenrek.errors import OptionError

if TYPE_CHECKING:
    from lenrek.explain.summary import Summary

LEAST_WIDTH = 80
ASCII = str.maketrans({"█": "#", "×": "x", "–": "-", "…": "~"})


def summary(
    model: Annotated[str, typer.Argument(help="An architecture, a run's folder or a model file.")],
    size: Annotated[
        str | None, typer.Option(help="Input size: 96 or 64x96; several with commas: 160,224. Default: its own.")
    ] = None,
    batch: Annotated[str, typer.Option(help="Samples; several with commas: 1,32.")] = "1",
    channels: Annotated[int | None, typer.Option(min=1, help="Of the input. Default: 3.")] = None,
    classes: Annotated[int | None, typer.Option(min=1, help="Of an architecture. Default: 10.")] = None,
    depth: Annotated[int | None, typer.Option(min=0, help="Rows no deeper than this.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line and size.")] = False,
    out: Annotated[Path | None, typer.Option(help="Also write an HTML page.")] = None,
) -> None:
    """What a network is: volumes, parameters, multiply-accumulates and memory of every layer, and in all."""
    import torch

    from lenrek.cli.subject import find_subject
    from lenrek.explain.record import TraceError
    from lenrek.explain.summary import summary as summarise
    from lenrek.models.tensor_file import write_bytes_atomically

    sizes: list[str | None] = [*size.split(",")] if size else [None]
    batches = _batches(batch)
    several = len(sizes) * len(batches) > 1
    for option, given in (("--depth", depth), ("--out", out)):
        if given is not None and (several or (json and option == "--depth")):
            why = "--json, which has every row" if json and not several else "a table of several sizes"
            raise OptionError(f"summary: {option} {given} has no effect on {why}.\n  Hint: leave it out.")
    subjects = [find_subject(model, one, channels, "summary", classes or 10) for one in sizes]
    if classes is not None and subjects[0].trained:
        raise OptionError(f"summary: --classes {classes} has no effect on {model}, which knows its own.")
    found = []
    for subject, samples in product(subjects, batches):
        with nullcontext() if subject.trained else torch.device("meta"):  # without values there is nothing to draw
            network = subject.make()
        try:
            found.append(summarise(network, subject.shape, samples))
        except TraceError as error:
            if not json:
                _print(error.found, depth)
                print()
            else:
                emit(error.found.to_dict())
            raise
        if json:
            emit({"model": model, **found[-1].to_dict()})
    if out is not None:
        write_bytes_atomically(out, found[0].to_html().encode("utf-8", "backslashreplace"))
    if json:
        return
    if several:
        _compare(found)
    else:
        _print(found[0], depth)


def _batches(text: str) -> list[int]:
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = [0]
    if min(numbers) < 1:
        raise OptionError(f"summary: --batch is {text!r}, expected a number of at least 1, or several: 1,32.")
    return numbers


def _print(found: Summary, depth: int | None) -> None:
    columns = max(LEAST_WIDTH, shutil.get_terminal_size().columns) if sys.stdout.isatty() else None
    text = found.to_text(width=columns, depth=depth)
    drawable = (sys.stdout.encoding or "").lower().startswith("utf")
    print(text if drawable else text.translate(ASCII))


def _compare(found: list[Summary]) -> None:
    """A row of totals for each."""
    from lenrek.explain.figures import compact, in_bytes

    rows = []
    for one in found:
        totals = one.totals
        training = "–" if totals.training_bytes is None else in_bytes(totals.training_bytes)
        macs = compact(totals.macs) + " + ?" * bool(totals.not_counted)
        rows.append(
            ["×".join(map(str, one.inputs[0])), compact(totals.parameters + totals.frozen), macs,
             in_bytes(totals.inference_bytes), training]
        )  # fmt: skip
    table(["input", "parameters", "MACs", "inference", "training"], rows, numeric=(1, 2, 3, 4))
