"""Receptive fields drawn: boxes on the frame of the input, and what a feature is really moved by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from lenrek.drawing.pictures import png_source
from lenrek.drawing.svg import drawing, element
from lenrek.errors import OptionError
from lenrek.explain.effective import EffectiveField

WIDTH = 480  # px of the longer side of the input
MARGIN = 12
COLOURS = ("#2a6fb0", "#c8641e", "#3a8f4f", "#8a4fb0", "#b03a5b", "#6b6f76")
BAND = 48  # px: the height at which signals are drawn


def draw_boxes(boxes: Sequence[tuple[str, tuple[range, ...]]], input_size: Sequence[int]) -> Markup:
    """Named boxes on the frame of an input of one or two axes, unclipped ones beyond it.

    Raises:
        OptionError: an input of more than two axes.
    """
    frame = _Frame(input_size, [box for _, box in boxes])
    parts = [frame.rectangle([range(n) for n in input_size], fill="#f1f3f4", stroke="#6b6f76")]
    for place, (name, box) in enumerate(boxes):
        colour = COLOURS[place % len(COLOURS)]
        parts.append(frame.rectangle(box, fill="none", stroke=colour, stroke_width=2))
        y = frame.height + 18 * (place + 1)
        size = " × ".join(str(len(one)) for one in box)
        parts.append(element("text", f"{name}: {size}", x=MARGIN, y=y, fill=colour, font_size=14))
    told = "; ".join(f"{name} sees {' × '.join(str(len(one)) for one in box)}" for name, box in boxes)
    return _picture(frame.width, frame.height + 18 * len(boxes) + MARGIN, f"Receptive fields: {told}", parts)


def draw_effective(found: EffectiveField, title: str = "") -> Markup:
    """The magnitude of the gradient, dark where it is large, within the box of what the feature can see.

    Raises:
        OptionError: an input of more than two axes.
    """
    shape = found.magnitude.shape
    frame = _Frame(shape, [found.box] if found.box else [])
    rows = found.magnitude[None] if len(shape) == 1 else found.magnitude
    # Square roots: a Gaussian's flanks would not be seen beside its peak.
    shade = 255 - np.rint(255 * np.sqrt(rows / (rows.max() or 1.0))).astype(np.uint8)
    x, y, width, height = frame.place([range(n) for n in shape])
    parts = [
        element("image", href=png_source(shade), x=x, y=y, width=width, height=height, preserveAspectRatio="none",
                style="image-rendering: pixelated"),
        frame.rectangle([range(n) for n in shape], fill="none", stroke="#6b6f76"),
    ]  # fmt: skip
    if found.box is not None:
        parts.append(frame.rectangle(found.box, fill="none", stroke=COLOURS[1], stroke_width=2))
    text = title or str(found)
    parts.append(element("text", text, x=MARGIN, y=frame.height + 18, font_size=13, fill="#202124"))
    return _picture(max(frame.width, 7 * len(text)), frame.height + 18 + MARGIN, str(found), parts)


class _Frame:
    """Where positions of the input lie in a picture that holds all boxes."""

    def __init__(self, size: Sequence[int], boxes: Sequence[Sequence[range]]) -> None:
        if len(size) not in (1, 2):
            raise OptionError(f"draw: an input of {len(size)} axes, expected one or two.")
        full = [*([range(1)] if len(size) == 1 else []), *(range(n) for n in size)]
        every = [full, *([*([range(1)] if len(size) == 1 else []), *box] for box in boxes)]
        self._starts = [min(box[axis].start for box in every) for axis in (0, 1)]
        lengths = [max(box[axis].stop for box in every) - self._starts[axis] for axis in (0, 1)]
        scale = WIDTH / max(lengths)
        self._scales = (BAND if len(size) == 1 else scale, scale)
        self.height = lengths[0] * self._scales[0] + 2 * MARGIN
        self.width = lengths[1] * self._scales[1] + 2 * MARGIN

    def place(self, box: Sequence[range]) -> tuple[float, float, float, float]:
        """x, y, width, height."""
        rows, columns = box if len(box) == 2 else (range(1), box[0])
        (top, left), (down, across) = self._starts, self._scales
        return (
            MARGIN + (columns.start - left) * across, MARGIN + (rows.start - top) * down,
            len(columns) * across, len(rows) * down,
        )  # fmt: skip

    def rectangle(self, box: Sequence[range], **style: str | float) -> Markup:
        x, y, width, height = self.place(box)
        return element("rect", x=x, y=y, width=width, height=height, **style)


def _picture(width: float, height: float, description: str, parts: Sequence[Markup]) -> Markup:
    ground = element("rect", width=width, height=height, rx=6, fill="white")
    inside = drawing(width, height, description, [ground, *parts])
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" font-family="sans-serif" '
    )
    return Markup(str(inside).replace("<svg ", head, 1) + "\n")
