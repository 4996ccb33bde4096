"""Results go to stdout, everything else to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any


def emit(value: Any) -> None:
    """One JSON value, on one line of stdout."""
    print(json.dumps(value, ensure_ascii=True))


def say(sentence: str) -> None:
    """A sentence on stderr; what the terminal cannot show is escaped."""
    print(shown(sentence), file=sys.stderr)


def fail(message: str) -> None:
    """An expected failure, in red on a terminal."""
    start, end = ("\x1b[31m", "\x1b[0m") if sys.stderr.isatty() else ("", "")
    print(f"{start}lenrek: {shown(message)}{end}", file=sys.stderr)


def shown(text: str) -> str:
    """`text` without what would break a terminal: control characters and undecodable bytes become escapes.

    >>> shown("a\\x1b[31m\\udcff\\n  b")
    'a\\\\x1b[31m\\\\udcff\\n  b'
    """
    return "".join(c if c.isprintable() or c in "\n" else c.encode("unicode_escape").decode() for c in text)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[int] = ()) -> None:
    """A table on stdout; the columns in `numeric` are aligned to the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=title or None, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for number, column in enumerate(columns):
        drawn.add_column(column, justify="right" if number in numeric else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(shown(cell)) for cell in row))
    Console().print(drawn)
