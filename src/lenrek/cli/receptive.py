"""`lenrek receptive-field MODEL`: what every layer sees of the input, and what moves one feature."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lenrek.cli.console import emit, table
from lenrek.cli.pictures import check_picture, write_pictures
from lenrek.cli.subject import find_subject, parse_axes

if TYPE_CHECKING:
    from lenrek.explain.effective import EffectiveField
    from lenrek.explain.receptive import ReceptiveFields

WHO = "receptive-field"


def receptive_field(
    model: Annotated[str, typer.Argument(help="An architecture, a run's folder or a model file.")],
    size: Annotated[str | None, typer.Option(help="Input size of an architecture: 96 or 64x96.")] = None,
    channels: Annotated[int | None, typer.Option(min=1, help="Of the input. Default: 3.")] = None,
    layer: Annotated[str | None, typer.Option(help="Only this layer. Default: all of them.")] = None,
    at: Annotated[str | None, typer.Option(help="What does the feature at ROW,COLUMN of --layer see?")] = None,
    pixel: Annotated[
        str | None, typer.Option(help="Which features of --layer does the input at ROW,COLUMN reach?")
    ] = None,
    effective: Annotated[bool, typer.Option("--effective", help="Measure what moves the feature, too.")] = False,
    out: Annotated[Path | None, typer.Option(help="Draw it: a .svg or .html file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Size, stride, start and centre of every layer's receptive field, exactly; the box of one feature."""
    import torch

    from lenrek.explain.effective import effective_receptive_field
    from lenrek.explain.receptive import receptive_field as find
    from lenrek.explain.record import TraceError

    check_picture(out, WHO)
    position, pixel_at = parse_axes(at, "--at", WHO, ","), parse_axes(pixel, "--pixel", WHO, ",")
    subject = find_subject(model, size, channels, WHO)
    torch.manual_seed(0)  # weights of a network that has not been trained
    network = subject.make()
    try:
        found = find(network, subject.shape)
    except TraceError as error:
        if not json:
            _print(error.found)
        raise
    told: dict[str, Any] = {"model": model, **found.to_dict()}
    if layer is not None:
        told["layers"] = [found[layer].to_dict()]
    chosen = found[layer or ""]
    if position is None and (out is not None or effective):
        position = tuple(n // 2 for n in chosen.shape[2:])
    sentences = []
    if position is not None:
        told["at"], told["box"] = list(position), _ends(chosen.box(position))
        sentences.append(f"feature {_numbers(position)} of {_named(layer)} sees {_ranges(chosen.box(position))}")
    if pixel_at is not None:
        reached = found.reaches(pixel_at, layer)
        told["pixel"], told["reaches"] = list(pixel_at), _ends(reached)
        sentences.append(f"input {_numbers(pixel_at)} reaches {_ranges(reached)} of {_named(layer)}")
    measured = effective_receptive_field(network, subject.shape, layer, position=position) if effective else None
    if measured is not None:
        told["effective"] = measured.to_dict()
        sentences.append(str(measured))
    if out is not None:
        write_pictures(out, f"Receptive field of {model}", _charts(found, layer, position or (), measured), str(found))
    if json:
        emit(told)
        return
    _print(found, layer)
    if sentences:
        print("\n" + "\n".join(sentences))


def _print(found: ReceptiveFields, layer: str | None = None) -> None:
    from lenrek.explain.receptive_text import COLUMNS, row_of, rows_of

    rows = rows_of(found) if layer is None else [row_of(found[layer])]
    notes = any(row[-1] for row in rows)
    cells = [row if notes else row[:-1] for row in rows]
    table(COLUMNS if notes else COLUMNS[:-1], cells, numeric=(3, 4, 5, 6))


def _charts(
    found: ReceptiveFields, layer: str | None, position: tuple[int, ...], measured: EffectiveField | None
) -> list[tuple[str, Any]]:
    """What one feature sees, the fields of all layers' middle features, and what moves it."""
    from lenrek.explain.receptive_picture import draw_boxes, draw_effective

    size = found.input_shapes[0][2:] or found.input_shapes[0][1:]
    name = layer or "output"
    charts = [("What the feature sees.", draw_boxes([(name, found.box(position, layer))], size))]
    if measured is not None:
        charts.insert(0, ("What moves the feature, within the box that it sees.", draw_effective(measured)))
    return charts


def _ends(box: tuple[range, ...]) -> list[list[int] | None]:
    """First and last; null where there is none."""
    return [[one.start, one.stop - 1] if one else None for one in box]


def _ranges(box: tuple[range, ...]) -> str:
    return " × ".join(f"{one.start} to {one.stop - 1}" if one else "nothing" for one in box) or "all"


def _numbers(position: tuple[int, ...]) -> str:
    return ",".join(map(str, position)) or "()"


def _named(layer: str | None) -> str:
    return layer or "the output"
