"""The small language of policies: `standard,rotate=20,blur=1@0.2; 6,9: flip=0`."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

from lenrek.data.augmentation.ready import NAMES
from lenrek.data.augmentation.steps import Step
from lenrek.data.augmentation.transforms import TRANSFORMS
from lenrek.data.augmentation.words import QUOTED, did_you_mean
from lenrek.errors import OptionError

OPTIONS = ("boundary", "interpolation", "count", "level")


def split_policy(
    text: str,
) -> tuple[str, tuple[Step, ...], dict[str, Any], list[tuple[tuple[str, ...], tuple[Step, ...]]]]:
    """The ready policy's name, the steps, the options, and per rule its classes and steps."""
    first, *rest = _split(text, ";")
    words = [word.strip() for word in first.split(",")]
    ready = "none"
    if words[0] in NAMES:
        ready = words.pop(0)
    options: dict[str, Any] = {}
    steps = []
    for word in words:
        name, _, value = word.partition("=")
        if name in OPTIONS:
            if name in options:
                raise OptionError(f"augmentation {text!r}: {name} is said twice.")
            options[name] = _option(name, value, text)
        else:
            steps.append(read_step(word, text))
    return ready, tuple(steps), options, [_rule(part, text) for part in rest]


@lru_cache
def read_steps(text: str) -> tuple[Step, ...]:
    """Steps separated by commas; none for an empty text."""
    return tuple(read_step(word.strip(), text) for word in text.split(",")) if text else ()


def read_step(word: str, text: str) -> Step:
    """`name`, `name=amount`, each with or without `@chance`."""
    said, at, chance = word.partition("@")
    name, equals, amount = (part.strip() for part in said.partition("="))
    if name not in TRANSFORMS:
        if name in NAMES:
            raise OptionError(f"augmentation {text!r}: {name} is a whole policy, and comes first.")
        known = [*NAMES, *TRANSFORMS, *OPTIONS]
        hint = did_you_mean(name, known) or "\n  Hint: for example standard, or shift=0.1,rotate=10,flip."
        raise OptionError(f"augmentation {text!r}: {name!r} is no policy and no transform.{hint}")
    return Step(
        name,
        _number(amount, f"{name} is", text) if equals else None,
        _number(chance, f"the chance of {name} is", text) if at else None,
    )


def _rule(part: str, text: str) -> tuple[tuple[str, ...], tuple[Step, ...]]:
    names, *words = _split(part, ":")
    if len(words) != 1 or not words[0].strip():
        raise OptionError(
            f"augmentation {text!r}: the rule {part.strip()!r} is not of the form CLASS,CLASS: TRANSFORM,TRANSFORM.\n"
            "  Hint: for example standard; 6,9: flip=0"
        )
    classes = tuple(_class_name(name.strip(), text) for name in _split(names, ","))
    return classes, tuple(read_step(word.strip(), text) for word in words[0].split(","))


def _class_name(name: str, text: str) -> str:
    if QUOTED.fullmatch(name):
        return json.loads(name)
    if not name:
        raise OptionError(f"augmentation {text!r}: a rule has an empty class name.")
    return name


def _split(text: str, separator: str) -> list[str]:
    """The parts between separators that are not inside quotation marks."""
    parts = [""]
    for piece in re.findall(r'"(?:[^"\\]|\\.)*"|.', text, re.DOTALL):
        if piece == separator:
            parts.append("")
        else:
            parts[-1] += piece
    return parts


def _number(value: str, what: str, text: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise OptionError(f"augmentation {text!r}: {what} {value!r}, but a number is expected.") from None


def _option(name: str, value: str, text: str) -> Any:
    if name in ("count", "level"):
        try:
            return int(value)
        except ValueError:
            raise OptionError(f"augmentation {text!r}: {name} is {value!r}, but a whole number is expected.") from None
    try:
        return float(value) if name == "boundary" else value
    except ValueError:
        return value
