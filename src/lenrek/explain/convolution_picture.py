"""A convolution that was found, drawn: its kernel, and where the layer is another."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from markupsafe import Markup
from torch import Tensor

from lenrek.drawing.svg import drawing, element
from lenrek.explain.found_convolution import FoundConvolution

WIDTH = 460  # px
GAP = 10  # px between two kernels
MOST_CELL, LEAST_CELL = 36.0, 3.0  # px of one weight
MOST_TILES = 8  # channels that are drawn along each axis
LEFT = 44  # px for names
POSITIVE, NEGATIVE = (184, 69, 42), (43, 108, 176)  # red and blue; white is zero


def draw_kernel(found: FoundConvolution) -> Markup:
    """The kernels: a row for each output channel, a column for each input channel; red adds, blue takes away."""
    weight = found.weight[:MOST_TILES, :MOST_TILES].detach().double().cpu()
    names = [f"out {o}" for o in range(len(weight))], [f"in {i}" for i in range(weight.shape[1])]
    top = weight.abs().max().item()
    return _tiles(weight, names, f"Kernel, from −{top:.3g} in blue to {top:.3g} in red")


def draw_deviation(found: FoundConvolution) -> Markup:
    """Which outputs deviate from the convolution, a picture for each output channel; empty where none does."""
    if found.distance <= found.tolerance:
        return Markup("")
    deviation = found.deviation[:MOST_TILES].detach().double().cpu()
    names = [""], [f"out {o}" for o in range(len(deviation))]
    top = deviation.max().item()
    return _tiles(deviation[None], names, f"Deviation of each output, up to {top:.2g} of the layer's norm in red")


def _tiles(values: Tensor, names: tuple[Sequence[str], Sequence[str]], title: str) -> Markup:
    """`values` (rows, columns, *size) as coloured squares; further axes than two stand beside each other."""
    size = values.shape[2:]
    flat = values.reshape(*values.shape[:2], 1, -1) if len(size) == 1 else values
    if len(size) > 2:  # slices side by side
        flat = values.flatten(2, -3).movedim(2, 3).flatten(3)
    rows, columns, height, width = flat.shape
    cell = min(MOST_CELL, max(LEAST_CELL, (WIDTH - LEFT - GAP * columns) / (columns * width)))
    scale = flat.abs().max().item() or 1.0
    parts = [element("text", title, x=0, y=14)]
    for column in range(columns):
        parts.append(element("text", names[1][column], class_="tick", x=LEFT + column * (width * cell + GAP), y=34))
    for row in range(rows):
        above = 40 + row * (height * cell + GAP)
        parts.append(element("text", names[0][row], class_="tick", x=0, y=above + height * cell / 2 + 4))
        for column in range(columns):
            left = LEFT + column * (width * cell + GAP)
            tile = flat[row, column]
            for place in torch.cartesian_prod(torch.arange(height), torch.arange(width)).tolist():
                parts.append(
                    element("rect", x=left + place[1] * cell, y=above + place[0] * cell, width=cell, height=cell,
                            fill=_colour(tile[place[0], place[1]].item() / scale))
                )  # fmt: skip
            parts.append(
                element(
                    "rect", x=left, y=above, width=width * cell, height=height * cell, fill="none", stroke="#6b6f76"
                )
            )
    wide = max(LEFT + columns * (width * cell + GAP), 7.5 * len(title))
    return drawing(wide, 40 + rows * (height * cell + GAP), title, parts, class_="chart")


def _colour(share: float) -> str:
    """From −1, blue, over 0, white, to 1, red.

    >>> _colour(0.0), _colour(-1.0)
    ('#ffffff', '#2b6cb0')
    """
    full = POSITIVE if share > 0 else NEGATIVE
    return "#" + "".join(f"{round(255 - (255 - part) * abs(share)):02x}" for part in full)
