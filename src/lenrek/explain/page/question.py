"""What a page is asked to explain, and what a section answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from markupsafe import Markup
from torch import Tensor, nn

from lenrek.models.contract import InputContract


@dataclass(frozen=True, eq=False)
class Question:
    """What the page is about.

    Attributes:
        network: in evaluation.
        contract: of its input and classes.
        methods: of class evidence, by name.
        layer: the one that was asked for, or None.
    """

    network: nn.Module
    contract: InputContract
    methods: tuple[str, ...]
    layer: str | None = None


@dataclass(frozen=True, eq=False)
class Sample:
    """One input on the page.

    Attributes:
        name: of the file.
        stored: (channels, *size), fitted to the network's size, not normalised.
        x: (1, channels, *size), normalised.
        posterior: (classes,).
        target: the class that is asked about.
    """

    name: str
    stored: np.ndarray
    x: Tensor
    posterior: np.ndarray
    target: int


@dataclass(frozen=True)
class Section:
    """One part of the page.

    Attributes:
        title: its heading.
        words: paragraphs above the pictures.
        pictures: markup; a `Sheet` gives its own by `to_html()`.
        data: what `--json` tells of it, under `key`.
    """

    key: str
    title: str
    words: tuple[str, ...] = ()
    pictures: tuple[Markup, ...] = ()
    data: dict[str, Any] = field(default_factory=dict)


OfSample = Callable[[Question, Sample], Section | None]  # None: nothing to say of such samples
OfNetwork = Callable[[Question], Section | None]
