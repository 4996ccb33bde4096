"""Draws the pictures of the guide, `python docs/draw_windows.py`: every position comes from `lenrek.geometry`."""

from __future__ import annotations

from pathlib import Path

from lenrek.geometry import sources, transposed_windows, windows

HERE = Path(__file__).parent
CELL = 28  # px
BLUE, GREY, ORANGE = "#2a6fb0", "#9aa0a6", "#c8641e"


def picture(width: int, height: int, parts: list[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    style = 'font-family="sans-serif" font-size="14"'
    ground = f'<rect width="{width}" height="{height}" rx="6" fill="white"/>'
    return "\n".join([f"{head} {style}>", ground, *parts, "</svg>"]) + "\n"


def cell(x: float, y: float, text: str, colour: str) -> str:
    middle = f'x="{x + CELL / 2:g}" y="{y + CELL / 2 + 5:g}" text-anchor="middle"'
    square = f'<rect x="{x:g}" y="{y:g}" width="{CELL}" height="{CELL}" fill="white" stroke="{colour}"/>'
    return f'{square}<text {middle} fill="{colour}">{text}</text>'


def label(x: float, y: float, text: str) -> str:
    return f'<text x="{x:g}" y="{y:g}">{text}</text>'


def boundaries() -> str:
    """Each boundary with three samples on either side of a b c d."""
    before, size, after, left = 3, 4, 3, 100
    parts = []
    rows = (("zeros", "0"), (7.0, "7"), ("replicate", ""), ("reflect", ""), ("symmetric", ""), ("circular", ""))
    for row, (boundary, constant) in enumerate(rows):
        y = 12 + row * (CELL + 10)
        parts.append(label(12, y + CELL / 2 + 5, constant if isinstance(boundary, float) else boundary))
        for place, source in enumerate(sources(size, before, after, boundary)):
            inside = before <= place < before + size
            text = constant if source is None else "abcd"[source]
            parts.append(cell(left + place * (CELL + 2), y, text, BLUE if inside else GREY))
    return picture(left + (before + size + after) * (CELL + 2) + 10, 14 + len(rows) * (CELL + 10), parts)


def panel(left: float, title: str, inputs: int, reads: list[range]) -> list[str]:
    """A row of inputs, a row of outputs below, and a line from each output to what it reads."""
    top, bottom = 40, 130
    indent = (inputs - len(reads)) * CELL / 2
    parts = [label(left, 24, title)]
    for output, positions in enumerate(reads):
        x = left + indent + output * CELL + CELL / 2
        ends = [left + i * CELL + CELL / 2 for i in positions if 0 <= i < inputs]
        parts += [f'<path d="M{x:g} {bottom}L{end:g} {top + CELL}" stroke="{ORANGE}"/>' for end in ends]
    parts += [cell(left + i * CELL, top, str(i), BLUE) for i in range(inputs)]
    return parts + [cell(left + indent + p * CELL, bottom, str(p), ORANGE) for p in range(len(reads))]


def reading() -> str:
    """Who reads whom, for a kernel of 3: with a stride, with a dilation, and transposed."""
    (stride,), (dilation,) = windows((7,), 3, stride=2), windows((7,), 3, dilation=2)
    (transposed,) = transposed_windows((3,), 3, stride=2)
    found = (("stride 2", stride), ("dilation 2", dilation), ("transposed, stride 2", transposed))
    parts, left = [], 14.0
    for title, window in found:
        reads = [window.reads(p) for p in range(window.out_size)]
        width = max(window.in_size, window.out_size) * CELL
        parts += panel(left + (width - window.in_size * CELL) / 2, title, window.in_size, reads)
        left += width + 30
    return picture(round(left) - 16, 172, parts)


PICTURES = {"boundaries.svg": boundaries, "windows.svg": reading}

if __name__ == "__main__":
    for name, draw in PICTURES.items():
        (HERE / name).write_text(draw())
