"""A summary as a page: the totals, the shares of the parts, and every layer with bars of what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lenrek.drawing.page import fill_page
from lenrek.explain.figures import compact, in_bytes, percent
from lenrek.explain.summary_rows import Row
from lenrek.explain.summary_text import field_in_words, output_in_words, totals_in_words

if TYPE_CHECKING:
    from lenrek.explain.summary import Summary


def as_page(found: Summary) -> str:
    """As `Summary.to_html`."""
    innermost = [row for row in found.rows if row.innermost]
    most = {name: max((_value(row, name) for row in innermost), default=0) or 1 for name in COSTS}

    def bar(row: Row, name: str) -> float:
        """How long the bar is, from 0 to 1; what contains other rows has none."""
        return _value(row, name) / most[name] if row.innermost else 0.0

    return fill_page(
        Path(__file__).with_name("summary.html"),
        {"compact": compact, "in_bytes": in_bytes, "percent": percent},
        found=found,
        costs=COSTS,
        bar=bar,
        value=_value,
        output=lambda row: output_in_words(row, found.batch_size),
        sees=field_in_words,
        words=list(totals_in_words(found)),
    )


COSTS = {"parameters": compact, "MACs": compact, "kept": in_bytes, "alive": in_bytes}


def _value(row: Row, name: str) -> int:
    values = {
        "parameters": row.parameters + row.frozen,
        "MACs": row.macs,
        "kept": row.kept_bytes or 0,
        "alive": row.live_bytes,
    }
    return values[name]
