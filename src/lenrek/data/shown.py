"""Names of files as a user may safely see them, and lists of them cut short."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

FEW = 3


def shown(path: Path | str) -> str:
    r"""The path as printable text on one line: control characters and bytes that are not UTF-8 appear as escapes.

    >>> shown("caf\udce9.png"), shown("two\nlines \x1b[31m")
    ('caf\\xe9.png', 'two\\nlines \\x1b[31m')
    """
    return "".join(character if character.isprintable() else _escaped(character) for character in str(path))


def shown_lines(text: str) -> str:
    """A message as `shown`, but on the lines it has."""
    return "\n".join(map(shown, text.split("\n")))


def tell(sentence: str) -> None:
    """A message on stderr, where everything goes that is not a result."""
    print(shown_lines(sentence), file=sys.stderr)


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # how Python keeps a byte that is not UTF-8 (PEP 383)
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


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
    plural = f"{noun}es" if noun.endswith(("s", "x", "sh", "tch")) else f"{noun}s"  # epoch takes s, batch takes es
    return f"{number:,} {noun if number == 1 else plural}"
