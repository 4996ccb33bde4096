"""How a policy's text writes names and numbers, and what a wrong word may have meant."""

from __future__ import annotations

import json
import re
from difflib import get_close_matches

QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
PLAIN = re.compile(r'[^,:;"\s]([^,:;"]*[^,:;"\s])?')


def class_name_text(name: str) -> str:
    """The name, in quotation marks where it would be taken for something else.

    >>> class_name_text("6"), class_name_text("a,b")
    ('6', '"a,b"')
    """
    return name if PLAIN.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def number_text(number: float) -> str:
    """As short as it can be and still the same number.

    >>> number_text(0.5), number_text(15.0), number_text(1 / 3)
    ('0.5', '15', '0.3333333333333333')
    """
    short = f"{number:g}"
    return short if float(short) == number else repr(float(number))


def did_you_mean(word: str, known: list[str]) -> str:
    """A hint with the nearest of the known words; empty where none is near."""
    near = get_close_matches(word, known, n=1)
    return f"\n  Hint: did you mean {near[0]}?" if near else ""
