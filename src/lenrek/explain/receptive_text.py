"""Receptive fields as a table of text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from lenrek.explain.layer_field import AxisField, LayerField

if TYPE_CHECKING:
    from lenrek.explain.receptive import ReceptiveFields

COLUMNS = ("layer", "type", "output", "field", "stride", "start", "centre", "")


def rows_of(fields: ReceptiveFields) -> list[tuple[str, ...]]:
    """One row for each innermost layer, a cell for each of `COLUMNS`; equal axes are said once."""
    return [row_of(layer) for layer in fields.layers if layer.innermost]


def as_table(fields: ReceptiveFields) -> str:
    """Numbers are positions and distances in input samples; feature 0's start and centre."""
    rows = [COLUMNS, *rows_of(fields)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if 3 <= column < 7 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def row_of(layer: LayerField) -> tuple[str, ...]:
    """A layer's cells, and last why there is no formula."""
    fields = layer.fields
    reasons = dict.fromkeys(field.reason for field in fields if field.reason)
    return (
        layer.name or "(output)", layer.type, " × ".join(map(str, layer.shape[1:])),
        _cells(fields, _size), _cells(fields, lambda field: _shown(field.stride)),
        _cells(fields, lambda field: _shown(field.start)), _cells(fields, lambda field: _shown(field.centre)),
        "; ".join(reasons),
    )  # fmt: skip


def _size(field: AxisField) -> str:
    if field.kind not in ("regular", "part"):
        return field.kind
    return f"≤ {_shown(field.size)}" if field.bound else _shown(field.size)


def _cells(fields: Sequence[AxisField], text: Callable[[AxisField], str]) -> str:
    cells = [text(field) for field in fields]
    return cells[0] if len(set(cells)) == 1 else " × ".join(cell or "–" for cell in cells)


def _shown(value: Fraction | None) -> str:
    """Halves as decimals, what has no short decimals as a fraction."""
    if value is None:
        return ""
    return f"{float(value):g}" if value.denominator in (1, 2, 4, 8) else str(value)
