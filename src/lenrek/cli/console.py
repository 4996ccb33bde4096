"""Results go to stdout, everything else to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from lenrek.data.shown import counted, shown, shown_lines

if TYPE_CHECKING:
    from lenrek.training.evaluation import Evaluation

PIPED_WIDTH = 100_000  # wider than any row


def emit(value: Any) -> None:
    """One JSON value, on one line of stdout."""
    print(json.dumps(value, ensure_ascii=True))


def say(sentence: str) -> None:
    """A sentence on stderr; what the terminal cannot show is escaped."""
    print(shown_lines(sentence), file=sys.stderr)


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


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[int] = ()) -> None:
    """A table on stdout; the columns in `numeric` are aligned to the right.

    Only the last column is wrapped, and only on a terminal: elsewhere each row is one line, for grep and awk.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for number, column in enumerate(columns):
        last = number == len(columns) - 1
        justify: Literal["right", "left"] = "right" if number in numeric else "left"
        drawn.add_column(column, justify=justify, no_wrap=not last, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(shown(cell)) for cell in row))
    console = Console() if sys.stdout.isatty() else Console(width=PIPED_WIDTH)
    with console.capture() as captured:
        console.print(drawn)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))
