"""A scene as pixels: one picture, or a GIF of all its steps."""

from __future__ import annotations

import io
import re
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from lenrek.drawing.scene.colours import ROLES, Look, Theme, mixed
from lenrek.drawing.scene.shapes import LAYERS, Box, Line, Scene, Shape, Words
from lenrek.drawing.scene.signs import SIGNS

FINER = 2  # drawn so much larger and reduced, which smooths slanted lines and letters
_SPLIT = re.compile(f"([{''.join(SIGNS)}])")


def as_gif(scene: Scene, seconds_per_step: float, theme: Theme = "auto") -> bytes:
    """All steps, again and again; a GIF knows one theme, and "auto" is light."""
    frames = [as_image(scene.at(step), theme) for step in range(scene.steps)]
    # One palette for all frames: colours that change from frame to frame would flicker.
    columns = min(len(frames), 4)
    chosen = frames[:: max(1, len(frames) // columns)][:columns]
    sheet = Image.new("RGB", (frames[0].width, frames[0].height * len(chosen)))
    for place, frame in enumerate(chosen):
        sheet.paste(frame, (0, place * frame.height))
    palette = sheet.quantize(128, method=Image.Quantize.MEDIANCUT)
    indexed = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    buffer = io.BytesIO()
    duration = max(20, round(1000 * seconds_per_step))
    indexed[0].save(buffer, "GIF", save_all=True, append_images=indexed[1:], duration=duration, loop=0, disposal=1)
    return buffer.getvalue()


def as_png(scene: Scene, theme: Theme = "auto") -> bytes:
    """One step, twice as large as its size says, for slides."""
    buffer = io.BytesIO()
    as_image(scene, theme, reduce=False).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def as_image(scene: Scene, theme: Theme = "auto", *, reduce: bool = True) -> Image.Image:
    """RGB, of a scene without steps."""
    looks = ROLES["dark" if theme == "dark" else "light"]
    size = round(scene.width), round(scene.height)
    image = Image.new("RGB", (size[0] * FINER, size[1] * FINER), looks["ground"].fill)
    draw = ImageDraw.Draw(image)
    for name in LAYERS:
        for shape in getattr(scene, name):
            _draw(draw, shape, looks)
    return image.resize(size, Image.Resampling.LANCZOS) if reduce else image


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
