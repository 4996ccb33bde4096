"""Draws the pictures of the guide, `python docs/draw_windows.py`: every position comes from `lenrek.geometry`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lenrek.drawing.scene.as_svg import as_svg
from lenrek.drawing.scene.shapes import Box, Line, Scene, Shape, words
from lenrek.geometry import sources, transposed_windows, windows

HERE = Path(__file__).parent
CELL = 28  # px


def cell(x: float, y: float, text: str, role: str) -> Iterator[Shape]:
    yield Box(role=role, x=x, y=y, width=CELL, height=CELL)
    yield words(x + CELL / 2, y + CELL / 2, text, "faint" if role == "padding" else "ink")


def label(x: float, y: float, text: str, role: str = "ink") -> Shape:
    return words(x, y, text, role, anchor="start")


def boundaries() -> str:
    """Each boundary with three samples on either side of a b c d."""
    before, size, after, left = 3, 4, 3, 100
    rows = (("zeros", "0"), (7.0, "7"), ("replicate", ""), ("reflect", ""), ("symmetric", ""), ("circular", ""))
    scene = Scene(left + (before + size + after) * CELL + 14, 14 + len(rows) * (CELL + 10), "What each boundary holds.")
    for row, (boundary, constant) in enumerate(rows):
        y = 12 + row * (CELL + 10)
        scene.over.append(label(12, y + CELL / 2, constant if isinstance(boundary, float) else boundary))
        found = sources(size, before, after, boundary)
        samples = range(before, before + size)
        for place in sorted(
            range(len(found)), key=samples.__contains__
        ):  # their outlines lie over those of the padding
            source = found[place]
            text = constant if source is None else "abcd"[source]
            scene.over.extend(cell(left + place * CELL, y, text, "input" if place in samples else "padding"))
    return as_svg(scene)


def panel(left: float, title: str, inputs: int, reads: list[range]) -> Iterator[Shape]:
    """A row of inputs, a row of outputs below, and a line from each output to what it reads."""
    top, bottom = 40, 130
    indent = (inputs - len(reads)) * CELL / 2
    yield label(left, 20, title)
    for output, positions in enumerate(reads):
        x = left + indent + output * CELL + CELL / 2
        for end in (left + i * CELL + CELL / 2 for i in positions if 0 <= i < inputs):
            yield Line(role="beam-line", points=((x, bottom), (end, top + CELL)))
    for i in range(inputs):
        yield from cell(left + i * CELL, top, str(i), "input")
    for p in range(len(reads)):
        yield from cell(left + indent + p * CELL, bottom, str(p), "output")


def reading() -> str:
    """Who reads whom, for a kernel of 3: with a stride, with a dilation, and transposed."""
    (stride,), (dilation,) = windows((7,), 3, stride=2), windows((7,), 3, dilation=2)
    (transposed,) = transposed_windows((3,), 3, stride=2)
    found = (("stride 2", stride), ("dilation 2", dilation), ("transposed, stride 2", transposed))
    shapes, left = [], 14.0
    for title, window in found:
        reads = [window.reads(p) for p in range(window.out_size)]
        width = max(window.in_size, window.out_size) * CELL
        shapes += panel(left + (width - window.in_size * CELL) / 2, title, window.in_size, reads)
        left += width + 30
    return as_svg(Scene(left - 16, 172, "Which inputs an output reads, for a kernel of 3.", over=shapes))


PICTURES = {"boundaries.svg": boundaries, "windows.svg": reading}

if __name__ == "__main__":
    for name, draw in PICTURES.items():
        (HERE / name).write_text(draw(), encoding="utf-8")
