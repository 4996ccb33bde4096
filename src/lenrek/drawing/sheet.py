"""Many small pictures on one sheet, row by row, with a caption that says how to read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from lenrek.drawing.svg import drawing, element
from lenrek.drawing.tile import Tile

WIDTH = 960
GAP, LINE, LETTER = 12, 14, 6.2
NAME_WIDTH = 96  # of what stands before the tiles of a row
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, Arial, sans-serif"


@dataclass(frozen=True, eq=False)
class Row:
    """Tiles side by side; a row too long for the sheet goes on below. `name` stands before them."""

    tiles: Sequence[Tile]
    name: str = ""


@dataclass(frozen=True, eq=False)
class Sheet:
    """Shown by a notebook as it is; `save` writes it as a file.

    Attributes:
        title: what is shown.
        note: the scale, what is left out, and how to read it.
    """

    title: str
    note: str
    rows: Sequence[Row]

    def to_html(self) -> Markup:
        """A <figure> for a page of the project's look: tiles flow, so that it fits a telephone, too."""
        rows = []
        for row in self.rows:
            tiles = [
                element(
                    "figure",
                    element("div", one.picture, style=f"aspect-ratio:{one.width:g}/{one.height:g}"),
                    *(element("span", line) for line in one.caption),
                    class_="tile", style=f"width:{one.width:g}px",
                )
                for one in row.tiles
            ]  # fmt: skip
            name = [element("b", row.name)] if row.name else []
            rows.append(element("div", *name, *tiles, class_="tiles"))
        return element("figure", *rows, element("figcaption", self.note), class_="sheet")

    def to_svg(self) -> str:
        """A file of its own: title, tiles, note."""
        parts = [element("text", self.title, x=GAP, y=26, font_size=16, font_weight=600, fill="#1c2127")]
        y = 44.0
        for row in self.rows:
            drawn, y = _row(row, y)
            parts += drawn
        for line in _wrapped(self.note, WIDTH - 2 * GAP):
            y += LINE + 2
            parts.append(element("text", line, x=GAP, y=y, font_size=12, fill="#5d6772"))
        height = y + GAP
        ground = element("rect", width=WIDTH, height=height, fill="white")
        picture = drawing(
            WIDTH, height, self.title, [ground, *parts],
            xmlns="http://www.w3.org/2000/svg", width=WIDTH, height=round(height), font_family=FONT,
        )  # fmt: skip
        return f"{picture}\n"

    def _repr_svg_(self) -> str:
        return self.to_svg()

    def save(self, path: str | Path) -> None:
        """As SVG."""
        Path(path).write_text(self.to_svg(), encoding="utf-8")


def _row(row: Row, top: float) -> tuple[list[Markup], float]:
    """The tiles from `top` on, and where they end."""
    left = float(GAP)
    parts = []
    if row.name:
        parts += [
            element("text", line, x=GAP, y=top + 14 + LINE * place, font_size=12, fill="#1c2127")
            for place, line in enumerate(_wrapped(row.name, NAME_WIDTH))
        ]
        left += NAME_WIDTH
    x, below = left, top
    for tile in row.tiles:
        lines = tile.caption
        width = max(tile.width, LETTER * max(map(len, lines), default=0))
        if x > left and x + width > WIDTH - GAP:
            x, top = left, below + GAP
        parts.append(element("svg", tile.picture, x=x, y=top, width=tile.width, height=tile.height))
        parts += [
            element("text", line, x=x, y=top + tile.height + LINE * (place + 1) - 1, font_size=11, fill="#5d6772")
            for place, line in enumerate(lines)
        ]
        below = max(below, top + tile.height + LINE * len(lines))
        x += width + GAP
    return parts, below + GAP


def _wrapped(text: str, width: float) -> list[str]:
    """The words in lines of about `width` px.

    >>> _wrapped("one two three", 50)
    ['one two', 'three']
    """
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and LETTER * len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
