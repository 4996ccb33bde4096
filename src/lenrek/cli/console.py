"""Results go to stdout, everything else to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from lenrek.data.shown import counted, shown, shown_lines

if TYPE_CHECKING:
    from lenrek.training.evaluation import Evaluation

COLUMN_GAP = 3  # cells between two columns, as Rich draws this kind of box
MIN_LAST_WIDTH = 16  # of the column that makes way for the others


def emit(value: Any) -> None:
    """One JSON value, on one line of stdout."""
    print(json.dumps(value, ensure_ascii=True))


def fail(message: str) -> None:
    """An expected failure, in red on a terminal."""
    start, end = ("\x1b[31m", "\x1b[0m") if sys.stderr.isatty() else ("", "")
    print(f"{start}lenrek: {shown_lines(message)}{end}", file=sys.stderr)


def accuracy_sentence(evaluation: Evaluation) -> str:
    """Accuracy, on how many samples, and how sure that is."""
    from lenrek.training.wording import percent

    number = evaluation.num_samples
    low, high = (percent(bound, number) for bound in evaluation.accuracy_interval)
    return f"{percent(evaluation.accuracy, number)} on {counted(number, 'sample')} (95 % interval: {low} to {high})"


def table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, numeric: Sequence[int] = (), wrap: bool = True
) -> None:
    """A table on stdout; the columns in `numeric` are aligned to the right.

    On a terminal the last column is wrapped, or without `wrap` cut short with an ellipsis. Elsewhere each row is one
    whole line, for grep and awk.
    """
    from rich import box
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [[shown(cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(columns, *cells, strict=True)]
    before_last = sum(width + COLUMN_GAP for width in widths[:-1])
    console = Console() if sys.stdout.isatty() else Console(width=before_last + widths[-1])
    # Rich takes room from every column when it is short of it; only the last one has some to give.
    console.width = max(console.width, before_last + min(widths[-1], MIN_LAST_WIDTH))
    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for number, column in enumerate(columns):
        justify: Literal["right", "left"] = "right" if number in numeric else "left"
        if number < len(columns) - 1:
            drawn.add_column(column, justify=justify, no_wrap=True)
        else:
            room = console.width - before_last
            overflow: Literal["fold", "ellipsis"] = "fold" if wrap else "ellipsis"
            drawn.add_column(column, justify=justify, max_width=room, no_wrap=not wrap, overflow=overflow)
    for row in cells:
        drawn.add_row(*map(Text, row))
    with console.capture() as captured:
        console.print(drawn)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))
