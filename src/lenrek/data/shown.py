"""Names of files as a user may safely see them, and lists of them cut short."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

FEW = 3


def shown(path: Path | str) -> str:
    r"""The path as printable text: bytes of a name that are not UTF-8 appear as \xNN.

    >>> shown("caf\udce9.png")
    'caf\\xe9.png'
    """
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def few(names: Sequence[str], between: str = ", ") -> str:
    """The first names, and how many more there are.

    >>> few(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    return between.join(names[:FEW]) + (f" and {len(names) - FEW:,} more" if len(names) > FEW else "")


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "image"), counted(1200, "image"), counted(2, "class")
    ('1 image', '1,200 images', '2 classes')
    """
    plural = f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"
