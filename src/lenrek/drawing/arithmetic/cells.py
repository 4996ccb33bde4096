"""What is there at every step: the cells with their numbers or colours, and their names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lenrek.drawing.arithmetic.block import Block
from lenrek.drawing.arithmetic.placed import MARGIN, Placed, named
from lenrek.drawing.arithmetic.words import subtitle
from lenrek.drawing.arithmetic.work import NOTHING, SAMPLE
from lenrek.drawing.scene.shapes import Box, Shape, words


def cells(p: Placed) -> Iterator[Shape]:
    """Every cell once."""
    work, colours = p.work, p.taste.show != "numbers"
    deepest = 1.0 if p.taste.show == "colours" else 0.55  # numbers on strong colours could not be read
    most = (float(np.abs(work.x).max()) or 1.0) / deepest
    for cell in sorted(p.x.cells(), key=lambda cell: work.kinds[cell[1:]] == SAMPLE):  # their outlines win
        kind, value = str(work.kinds[cell[1:]]), float(work.x[cell])
        if colours and kind != NOTHING:
            share = (1.0 if kind == SAMPLE else 0.5) * abs(value) / most
            yield p.box(p.x, cell, "ground")
            yield p.box(p.x, cell, "less" if value < 0 else "more", share, _sample(p, cell))
        else:
            yield p.box(p.x, cell, kind, holds=_sample(p, cell))
    if work.weight is not None and not p.slides:
        for cell in p.k.cells():
            yield p.box(p.k, cell, "kernel", holds=named("w", cell) if len(work.y) == 1 else "")
    most = (float(np.abs(work.y).max()) or 1.0) / deepest
    for number, cell in enumerate(p.y.cells()):
        when = range(number, len(work.steps)) if p.taste.growing and number else None
        if when is not None:
            yield p.box(p.y, cell, "empty")
        if colours:
            value = float(work.y[cell])
            role = "less" if value < 0 else "more"
            yield replace(p.box(p.y, cell, role, abs(value) / most, named("y", cell)), steps=when)
        else:
            yield replace(p.box(p.y, cell, "output", holds=named("y", cell)), steps=when)


def outlines(p: Placed) -> Iterator[Shape]:
    """Around the samples and the outputs, where colours alone would not tell them from what lies around."""
    for block, covers, role in ((p.x, p.work.extent, "input-frame"), (p.y, None, "output-frame")):
        for channel in range(block.shape[0]):
            for x, y, width, height in block.frames(channel, covers or [range(n) for n in block.shape[1:]]):
                yield Box(role=role, x=x, y=y, width=width, height=height)


def texts(p: Placed) -> Iterator[Shape]:
    """Title, names and numbers."""
    work = p.work
    y = MARGIN + 8
    if p.title():
        yield words(MARGIN, y, p.title(), "ink", size=18, anchor="start", bold=True)
        y += 27
    yield words(MARGIN, y, subtitle(work), "soft", size=14, anchor="start")
    for place, (block, role) in enumerate(((p.x, "blue"), (p.k, "orange"), (p.y, "green"))):
        name = p.name(place)
        if name and not (place == 1 and p.slides):
            yield words(block.x, block.y - 15, name, role, size=15, anchor="start", bold=True)
    if not p.stacked:
        yield from _signs(p)
    for block in (p.x, p.y):
        if block.named:
            for channel in range(block.shape[0]):
                yield from p.labels(block, channel, _channel_name(p, block, channel))
    if p.taste.show == "colours":
        return
    for cell in p.x.cells():
        kind = work.kinds[cell[1:]]
        if kind != NOTHING:
            role = "ink" if kind == SAMPLE else "faint"
            yield p.number(p.x, cell, float(work.x[cell]), role)
    for number, cell in enumerate(p.y.cells()):
        when = range(number, len(work.steps)) if p.taste.growing and number else None
        yield replace(p.number(p.y, cell, float(work.y[cell]), "ink"), steps=when)


def _sample(p: Placed, cell: tuple[int, ...]) -> str:
    """The name of a sample of the input by its place among the samples; none for what lies around and between."""
    if p.work.kinds[cell[1:]] != SAMPLE:
        return ""
    index = [(i - first) // apart for i, (first, apart) in zip(cell[1:], p.work.lattice, strict=True)]
    return named("x", (cell[0], *index))


def _signs(p: Placed) -> Iterator[Shape]:
    """Between images: input ⋆ kernel = output, or an arrow where there is no kernel.

    What a transposed correlation does to the samples with zeros between is a convolution, and the other way round.
    """
    middle = p.y.y + p.y.height / 2
    if p.work.weight is None:
        yield words((p.x.x + p.x.width + p.y.x) / 2, middle, "→", "soft", size=26)
        return
    sign = "∗" if p.work.kind in ("convolve", "correlate_transposed") else "⋆"
    yield words((p.x.x + p.x.width + p.k.x) / 2, middle, sign, "soft", size=26)
    yield words((p.k.x + p.k.width + p.y.x) / 2, middle, "=", "soft", size=26)


def _channel_name(p: Placed, block: Block, channel: int) -> str:
    name = f"channel {channel}"
    if p.work.weight is not None and p.work.groups > 1:
        group = channel // (block.shape[0] // p.work.groups)
        name += f", group {group}"
    return name
