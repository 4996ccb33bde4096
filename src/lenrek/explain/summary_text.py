"""A summary as text: the tree of layers, the totals, and where parameters and arithmetic are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lenrek.explain.figures import compact, in_bytes, percent
from lenrek.explain.summary_rows import Row

if TYPE_CHECKING:
    from lenrek.explain.summary import Summary

COLUMNS = ("layer", "output", "parameters", "MACs", "kept", "alive", "sees")
LEGEND = (
    "kept: for the gradient, in a training step.  alive: at most at a time, in inference.\n"
    "sees: the receptive field, in samples of the input."
)
LEAST_NAME, GAP = 20, 2
BAR_CELLS = 20


def as_text(found: Summary, width: int | None, depth: int | None) -> str:
    """As `Summary.to_text`."""
    most = len(found.rows) if depth is None else depth
    lines = [[_label(row, alike), *_cells(row, found.batch_size)] for row, alike in shown_rows(found.rows, most)]
    inputs = ", ".join(" × ".join(map(str, shape)) for shape in found.inputs)
    parts = [f"{found.type}, input {inputs}", "", *_aligned([list(COLUMNS), *lines], width), "", LEGEND, ""]
    parts += [f"{name:<13}{text}" for name, text in totals_in_words(found)]
    if found.parts:
        parts += ["", *_bars(found)]
    return "\n".join(parts)


def shown_rows(rows: Sequence[Row], most_depth: int) -> Iterator[tuple[Row, list[Row]]]:
    """The rows to show; of equal blocks one after the other only the first, with all of those."""
    at = 0
    while at < len(rows):
        end = _end_of(rows, at)
        alike, after = [rows[at]], end
        while not rows[at].innermost and after < len(rows) and _alike(rows, (at, end), (after, _end_of(rows, after))):
            alike.append(rows[after])
            after = _end_of(rows, after)
        if rows[at].depth <= most_depth:
            yield rows[at], alike
        if len(alike) > 1:
            yield from shown_rows(rows[at + 1 : end], most_depth)
        at = after if len(alike) > 1 else at + 1


def totals_in_words(found: Summary) -> Iterator[tuple[str, str]]:
    """What follows the table: a name and a sentence each."""
    totals = found.totals
    frozen = f", {totals.frozen:,} frozen" if totals.frozen else ""
    unused = f"; {totals.unused:,} not used by this forward pass" if totals.unused and found.complete else ""
    yield "parameters", f"{totals.parameters:,}{frozen}: {in_bytes(totals.parameter_bytes)}{unused}"
    one = f", {compact(totals.macs / found.batch_size)} per sample" if found.batch_size > 1 else ""
    yield "MACs", f"{totals.macs:,}{one}"
    if totals.not_counted:
        yield "not counted", ", ".join(f"{name} ×{times}" for name, times in sorted(totals.not_counted.items()))
    yield "inference", f"at most {in_bytes(totals.inference_bytes)} alive at a time, input included"
    if totals.training_bytes is None:
        yield "training", f"unknown: {totals.training_unknown}"
    else:
        yield "training", f"keeps {in_bytes(totals.training_bytes)} for the gradient, input included"
    convolutions = [row for row in found.rows if row.dense_weights and not row.shared]
    dense, weights = sum(row.dense_weights or 0 for row in convolutions), sum(map(_weights, convolutions))
    if dense and weights:
        yield (
            "convolutions",
            (f"{compact(weights)} parameters; fully connected layers between the same volumes: {compact(dense)}"),
        )


def output_in_words(row: Row, batch_size: int) -> str:
    """The shape of one sample's output, of several outputs the first."""
    if not row.outputs:
        return ""
    shape = row.outputs[0][1:] if row.outputs[0][:1] == (batch_size,) else row.outputs[0]
    more = f" +{len(row.outputs) - 1}" if len(row.outputs) > 1 else ""
    return "×".join(map(str, shape)) + more


def field_in_words(row: Row) -> str:
    """The receptive field per axis, equal axes said once."""
    sizes = list(map(str, row.field))
    return sizes[0] if len(set(sizes)) == 1 else "×".join(sizes)


def _weights(row: Row) -> int:
    return row.parameters + row.frozen


def _label(row: Row, alike: Sequence[Row]) -> str:
    name = row.label if len(alike) == 1 else f"{row.label} – {alike[-1].label.rpartition('.')[2]}"
    words = row.type if row.kind == "module" and row.depth else ""
    many = f", {len(alike)} alike, each" if len(alike) > 1 else ""
    return f"{'  ' * row.depth}{name}  {words} {row.options}".rstrip() + many


def _cells(row: Row, batch_size: int) -> list[str]:
    parameters = "shared" if row.shared else compact(_weights(row)) if _weights(row) else ""
    macs = compact(row.macs) if row.macs else ""
    macs = f"{macs} + ?".removeprefix(" + ") if row.not_counted else macs
    kept = "" if row.kept_bytes == 0 else "–" if row.kept_bytes is None else in_bytes(row.kept_bytes)
    return [output_in_words(row, batch_size), parameters, macs, kept, in_bytes(row.live_bytes), field_in_words(row)]


def _aligned(lines: Sequence[Sequence[str]], width: int | None) -> Iterator[str]:
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    if width is not None:
        rest = sum(widths[1:]) + GAP * (len(COLUMNS) - 1)
        widths[0] = min(widths[0], max(LEAST_NAME, width - rest))
    for line in lines:
        cells = [cell if len(cell) <= size else f"{cell[: size - 1]}…" for cell, size in zip(line, widths, strict=True)]
        aligned = [
            cell.ljust(size) if column < 2 else cell.rjust(size)
            for column, (cell, size) in enumerate(zip(cells, widths, strict=True))
        ]
        yield (" " * GAP).join(aligned).rstrip()


def _bars(found: Summary) -> Iterator[str]:
    parts = [part for part in found.parts if part.parameters or part.macs]
    size = max([len(part.name) for part in parts], default=0)
    yield f"{'where':<{size}}  {'parameters':<{BAR_CELLS + 9}}  MACs"
    for part in parts:
        cells = [f"{percent(share):>7}  {'█' * round(BAR_CELLS * share)}" for share in (part.parameters, part.macs)]
        yield f"{part.name:<{size}}  {cells[0]:<{BAR_CELLS + 9}}  {cells[1]}".rstrip()


def _end_of(rows: Sequence[Row], at: int) -> int:
    """Where the rows below row `at` end."""
    return next((n for n in range(at + 1, len(rows)) if rows[n].depth <= rows[at].depth), len(rows))


def _alike(rows: Sequence[Row], one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[1] - one[0] == other[1] - other[0] and all(
        _signature(rows[a], a == one[0]) == _signature(rows[b], b == other[0])
        for a, b in zip(range(*one), range(*other), strict=True)
    )


def _signature(row: Row, top: bool) -> tuple[object, ...]:
    label = "" if top else row.label
    return row.depth, label, row.type, row.options, row.outputs, row.parameters, row.frozen, row.macs, row.not_counted
