"""A scene as pixels: one picture, or a GIF of all its steps."""

from __future__ import annotations

import io
import re
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from lenrek.drawing.scene.colours import Look, Theme, looks_of, mixed
from lenrek.drawing.scene.shapes import LAYERS, Box, Line, Scene, Shape, Words
from lenrek.drawing.scene.signs import SIGNS

FINER = 2  # drawn so much larger and reduced, which smooths slanted lines and letters
_SPLIT = re.compile(f"([{''.join(SIGNS)}])")


def as_gif(scene: Scene, seconds_per_step: float, theme: Theme = "auto") -> bytes:
    """All steps, again and again; a GIF knows one theme, and "auto" is light."""
    looks = looks_of(theme)
    palette = _palette(looks)
    still = scene.at(-1)  # what every step has
    drawn = _canvas(scene, looks)
    _draw_all(drawn, still, looks)
    indexed = []
    for step in range(scene.steps):
        frame = drawn.copy()
        _draw_step(ImageDraw.Draw(frame), scene, step, looks)
        indexed.append(frame.reduce(FINER).quantize(palette=palette, dither=Image.Dither.NONE))
    buffer = io.BytesIO()
    duration = max(20, round(1000 * seconds_per_step))
    indexed[0].save(buffer, "GIF", save_all=True, append_images=indexed[1:], duration=duration, loop=0, disposal=1)
    return buffer.getvalue()


def _draw_step(draw: ImageDraw.ImageDraw, scene: Scene, step: int, looks: dict[str, Look]) -> None:
    """What one step adds to the picture of what every step has."""
    there = {name: [s for s in getattr(scene, name) if s.steps is None or step in s.steps] for name in LAYERS}
    # A beam below cells covers what is drawn already: then all is drawn again, of a signal that is little.
    again = any(isinstance(shape, Line) and shape.steps is not None for shape in there["under"])
    for shape in (*there["under"], *there["between"]):
        if again or shape.steps is not None:
            _draw(draw, shape, looks)
    covered = [s for s in (*there["under"], *there["between"]) if isinstance(s, Box) and s.steps is not None]
    for shape in there["over"]:
        below = isinstance(shape, Words) and any(_holds(box, shape) for box in covered)
        if again or below or shape.steps is not None:
            _draw(draw, shape, looks)


def _holds(box: Box, text: Words) -> bool:
    return box.x <= text.x <= box.x + box.width and box.y <= text.y <= box.y + box.height


def _palette(looks: dict[str, Look]) -> Image.Image:
    """Every colour there is, with its shades towards the ground: one for all frames, so that nothing flickers."""
    ground = looks["ground"].fill
    whole = dict.fromkeys(colour for look in looks.values() for colour in (look.fill, look.stroke) if colour != "none")
    shades = [mixed(colour, ground, share) for share in (1.0, 0.7, 0.4) for colour in whole]
    scales = [mixed(looks[role].fill, ground, n / 24) for role in ("more", "less") for n in range(25)]
    # Pillow takes nearly equal colours for each other, so the ground's close neighbours are left out.
    near = {colour for colour in (*shades, *scales) if colour not in whole and _distance(colour, ground) < 10}
    chosen = [colour for colour in dict.fromkeys([ground, *shades, *scales]) if colour not in near][:256]
    palette = Image.new("P", (1, 1))
    palette.putpalette([int(colour[i : i + 2], 16) for colour in chosen for i in (1, 3, 5)])
    return palette


def _distance(one: str, other: str) -> int:
    return max(abs(int(one[i : i + 2], 16) - int(other[i : i + 2], 16)) for i in (1, 3, 5))


def as_png(scene: Scene, theme: Theme = "auto") -> bytes:
    """One step, twice as large as its size says, for slides."""
    buffer = io.BytesIO()
    as_image(scene, theme).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def as_image(scene: Scene, theme: Theme = "auto") -> Image.Image:
    """RGB, of a scene without steps, so much larger."""
    looks = looks_of(theme)
    image = _canvas(scene, looks)
    _draw_all(image, scene, looks)
    return image


def _canvas(scene: Scene, looks: dict[str, Look]) -> Image.Image:
    return Image.new("RGB", (round(scene.width) * FINER, round(scene.height) * FINER), looks["ground"].fill)


def _draw_all(image: Image.Image, scene: Scene, looks: dict[str, Look]) -> None:
    draw = ImageDraw.Draw(image)
    for name in LAYERS:
        for shape in getattr(scene, name):
            _draw(draw, shape, looks)


def _draw(draw: ImageDraw.ImageDraw, shape: Shape, looks: dict[str, Look]) -> None:
    look = looks[shape.role]
    width = max(1, round(look.width * FINER))
    if isinstance(shape, Words):
        _write(draw, shape, looks)
    elif isinstance(shape, Box):
        x, y = shape.x * FINER, shape.y * FINER
        corners = (x, y, x + shape.width * FINER, y + shape.height * FINER)
        fill = None if look.fill == "none" else mixed(look.fill, looks["ground"].fill, shape.strength)
        if look.dash:
            if fill:
                draw.rectangle(corners, fill)
            _dashed(draw, corners, look)
            return
        outline = None if look.stroke == "none" else look.stroke
        # An outline lies on the edge, half of it outside; Pillow's lies inside.
        grown = width / 2 if outline else 0
        box = (corners[0] - grown, corners[1] - grown, corners[2] + grown, corners[3] + grown)
        draw.rounded_rectangle(box, shape.radius * FINER, fill, outline, width if outline else 0)
    elif isinstance(shape, Line):
        points = [(x * FINER, y * FINER) for x, y in shape.points]
        if shape.closed and look.fill != "none":
            draw.polygon(points, look.fill)
        if look.stroke != "none":
            draw.line([*points, points[0]] if shape.closed else points, look.stroke, width)


def _dashed(draw: ImageDraw.ImageDraw, corners: tuple[float, float, float, float], look: Look) -> None:
    """The four sides of a rectangle, in dashes."""
    on, off = (float(part) * FINER for part in look.dash.split())
    left, top, right, bottom = corners
    for start, end, level, across in ((left, right, top, True), (left, right, bottom, True),
                                      (top, bottom, left, False), (top, bottom, right, False)):  # fmt: skip
        at = start
        while at < end:
            until = min(at + on, end)
            line = (at, level, until, level) if across else (level, at, level, until)
            draw.line(line, look.stroke, max(1, round(look.width * FINER)))
            at += on + off


def _write(draw: ImageDraw.ImageDraw, shape: Words, looks: dict[str, Look]) -> None:
    size = shape.size * FINER
    font = _font(size)
    pieces = [(text, looks[piece.role].fill) for piece in shape.said for text in _SPLIT.split(piece.text) if text]
    lengths = [SIGNS[text][0] * size if text in SIGNS else font.getlength(text) for text, _ in pieces]
    x, y = shape.x * FINER - {"start": 0.0, "middle": 0.5, "end": 1.0}[shape.anchor] * sum(lengths), shape.y * FINER
    bold = 0.35 * FINER if shape.bold else 0.0
    for (text, colour), length in zip(pieces, lengths, strict=True):
        if text in SIGNS:
            for stroke in SIGNS[text][1]:
                points = [(x + across * size, y - up * size) for across, up in stroke]
                draw.line(points, colour, round(size / 13 + 2 * bold))
        else:
            draw.text((x, y), text, colour, font, "lm", stroke_width=bold, stroke_fill=colour)
        x += length


@lru_cache
def _font(size: float) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font
