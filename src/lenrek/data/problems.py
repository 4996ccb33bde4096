"""Problems of data in few sentences: a thousand damaged files must not bury what else is to be said."""

from __future__ import annotations

from collections.abc import Sequence

from lenrek.data.shown import counted
from lenrek.data.source import Problem

MAX_NAMED = 10


def count_damaged(problems: Sequence[Problem]) -> int:
    """How many samples are left out because they cannot be read."""
    return sum(max(1, len(problem.samples)) for problem in problems if problem.kind == "damaged")


def sentences(problems: Sequence[Problem]) -> list[str]:
    """Every problem's message, but at most 10 of damaged samples, and how many of these there are.

    >>> sentences([Problem("damaged", "a.png: empty: 0 bytes.", ("a.png",)), Problem("note", "The rest is fine.")])
    ['The rest is fine.', 'a.png: empty: 0 bytes.', '1 damaged sample is left out.']
    """
    number = count_damaged(problems)
    damaged = [problem for problem in problems if problem.kind == "damaged"]
    said = [problem.message for problem in problems if problem.kind != "damaged"]
    if not damaged:
        return said
    verb = "is" if number == 1 else "are"
    unsaid = f"; the first {MAX_NAMED} are named above" if len(damaged) > MAX_NAMED else ""
    named = [problem.message for problem in damaged[:MAX_NAMED]]
    return [*said, *named, f"{counted(number, 'damaged sample')} {verb} left out{unsaid}."]
