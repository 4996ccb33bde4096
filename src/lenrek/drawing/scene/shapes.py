"""What a picture is made of: boxes, words and lines, each with a role that says its colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple


class Said(NamedTuple):
    """A piece of a line of words, in the colour of its role."""

    text: str
    role: str = "ink"


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Attributes:
    role: the key of its colours in `colours.ROLES`.
    steps: the steps at which it is there; None: always.
    """

    role: str
    steps: range | None = None


@dataclass(frozen=True, kw_only=True)
class Box(Shape):
    """A rectangle, in px.

    Attributes:
        strength: from 0 to 1, how much of its fill covers the ground.
        cell: which number it holds, for pages that let it be pointed at: the volume and its index, as x:0,2,3.
    """

    x: float
    y: float
    width: float
    height: float
    radius: float = 0.0
    strength: float = 1.0
    cell: str = ""


@dataclass(frozen=True, kw_only=True)
class Words(Shape):
    """One line of words; y is the height of their middle, `size` that of the letters, in px.

    Attributes:
        said: pieces with roles of their own.
        anchor: "start", "middle" or "end".
    """

    x: float
    y: float
    said: tuple[Said, ...]
    size: float = 14.0
    anchor: str = "middle"
    bold: bool = False


@dataclass(frozen=True, kw_only=True)
class Line(Shape):
    """A polygon where `closed`, else a line."""

    points: tuple[tuple[float, float], ...]
    closed: bool = False


LAYERS = ("under", "between", "over")


@dataclass(frozen=True)
class Scene:
    """Shapes in three layers, of which the later ones lie over the earlier.

    Attributes:
        width, height: px.
        description: what a screen reader says.
        steps: how many; 1 for a picture without any.
        told: for each step what happens, in words; empty where there are none.
    """

    width: float
    height: float
    description: str
    steps: int = 1
    told: tuple[str, ...] = ()
    under: list[Shape] = field(default_factory=list)
    between: list[Shape] = field(default_factory=list)
    over: list[Shape] = field(default_factory=list)

    def at(self, step: int) -> Scene:
        """Only what is there at one step, as a picture of its own; at −1 what is there at all of them."""
        under, between, over = ([_always(s) for s in getattr(self, name) if _there(s, step)] for name in LAYERS)
        description = f"{self.description} {self.told[step]}" if self.told and step >= 0 else self.description
        return Scene(self.width, self.height, description, under=under, between=between, over=over)


def words(x: float, y: float, text: str | Sequence[Said], role: str = "ink", **options: object) -> Words:
    """A line of words of one role, or of several pieces."""
    said = (Said(text, role),) if isinstance(text, str) else tuple(text)
    return Words(role=role, x=x, y=y, said=said, **options)  # type: ignore[arg-type]


def _there(shape: Shape, step: int) -> bool:
    return shape.steps is None or step in shape.steps


def _always(shape: Shape) -> Shape:
    return shape if shape.steps is None else replace(shape, steps=None)


LETTER = 0.56  # of the size of the letters, on average: the width of one


def width_of(text: str, size: float) -> float:
    """About how wide a line is, in px."""
    return LETTER * size * len(text)
