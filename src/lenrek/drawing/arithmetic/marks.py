"""What one step adds: the window, its weights, the kernel under a signal, the output."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lenrek.drawing.arithmetic.placed import Placed, named
from lenrek.drawing.arithmetic.values import written
from lenrek.drawing.arithmetic.work import Step, Term
from lenrek.drawing.scene.shapes import Box, Line, Said, Shape, words


def window(p: Placed, step: Step) -> Iterator[Shape]:
    """The window: its cells, a frame around it, and where it leads."""
    channels = p.work.channels_of(step.output[0])
    if p.taste.show == "numbers":
        for cell in dict.fromkeys(term.cell for term in step.terms):
            yield p.box(p.x, cell, "window")
        if step.chosen is not None:
            yield p.box(p.x, step.terms[step.chosen].cell, "chosen")
    for channel in channels:
        for x, y, width, height in p.x.frames(channel, step.covers):
            yield Box(role="frame", x=x, y=y, width=width, height=height, radius=3)


def results(p: Placed, step: Step) -> Iterator[Shape]:
    """Weights in the window's corners, the maximum, the output; and the kernel under a signal."""
    work, numbers = p.work, p.taste.show != "colours"
    if work.weight is not None and numbers and not p.slides and p.x.cell >= 34:
        yield from _corner_weights(p, step)
    if step.chosen is not None and p.taste.show == "numbers":
        term = step.terms[step.chosen]
        yield p.number(p.x, term.cell, term.sample, "on-strong", bold=True)
    if p.slides:
        yield from _sliding_kernel(p, step)
    if p.taste.show == "numbers":
        yield p.box(p.y, step.output, "current")
        yield p.number(p.y, step.output, step.value, "on-strong", bold=True)
    else:
        yield p.box(p.y, step.output, "current-frame")


def kernel_of(p: Placed, channel: int) -> Iterator[Shape]:
    """The numbers of the kernel of one output channel."""
    work = p.work
    if work.weight is not None:
        kernel = work.kernel_of(channel)
        for cell in p.k.cells():
            yield p.number(p.k, cell, float(kernel[cell]), "ink")
        if p.k.named:
            for number, source in enumerate(work.channels_of(channel)):
                yield from p.labels(p.k, number, f"{source} → {channel}")
        elif len(work.y) > 1:
            source = work.channels_of(channel)[0]
            yield words(p.k.x, p.k.y + p.k.height + 14, f"channel {source} → {channel}", "soft", size=12,
                        anchor="start")  # fmt: skip


def veils(p: Placed, channel: int) -> Iterator[Shape]:
    """Over the input channels that an output channel does not read."""
    work = p.work
    for other in range(len(work.x)):
        if other not in work.channels_of(channel):
            x, y, width, height = p.x.panel(other)
            yield Box(role="ground", x=x - 2, y=y - 2, width=width + 4, height=height + 4, strength=0.6)


def beam(p: Placed, step: Step) -> Iterator[Shape]:
    """From a signal's window through the kernel to the output; below all cells."""
    if p.work.ndim > 1:
        return
    channels = p.work.channels_of(step.output[0])
    first, last = step.covers[0][0], step.covers[0][-1]
    left, _ = p.x.corner((channels[-1], first))
    right = p.x.corner((channels[-1], last))[0] + p.x.cell
    top = p.x.corner((channels[-1], 0))[1] + p.x.cell
    x, y = p.y.corner(step.output)
    if p.work.weight is not None:
        below = p.k.y + p.k.height
        yield Line(role="beam", closed=True,
                   points=((left, top), (right, top), (right, below), (left, below)))  # fmt: skip
        top = below
    yield Line(role="beam", closed=True, points=((left, top), (right, top), (x + p.y.cell, y), (x, y)))
    for start, end in ((left, x), (right, x + p.y.cell)):
        yield Line(role="beam-line", points=((start, top), (end, y)))


def _corner_weights(p: Placed, step: Step) -> Iterator[Shape]:
    found: dict[tuple[int, ...], list[str]] = {}
    for term in step.terms:
        found.setdefault(term.cell, []).append(written(term.weight))
    for cell, texts in found.items():
        x, y = p.x.corner(cell)
        text, size = ",".join(texts), 0.25 * p.x.cell
        size = min(size, 0.9 * p.x.cell / (0.6 * len(text)))
        corner = x + p.x.cell - 3, y + p.x.cell - 0.62 * size - 1
        yield words(*corner, text, "orange", size=size, anchor="end", bold=True)


def _sliding_kernel(p: Placed, step: Step) -> Iterator[Shape]:
    """The kernel below the samples that it meets, a row for each channel."""
    channels = p.work.channels_of(step.output[0])
    block = replace(p.k, x=p.x.x)
    met: dict[tuple[int, int], list[Term]] = {}  # several where a boundary folds them onto one sample
    for term in step.terms:
        met.setdefault((term.cell[0] - channels[0], term.cell[1]), []).append(term)
    for cell, terms in met.items():
        yield p.box(block, cell, "kernel", holds=_tap(p, cell[0], terms[0]))
        if len(terms) == 1:
            yield p.number(block, cell, terms[0].weight, "ink")
        else:
            text = "+".join(written(term.weight) for term in terms)
            yield words(*block.middle(cell), text, "ink", size=p.fits(text, 0.42 * block.cell))
    left = p.x.corner((channels[0], step.covers[0][0]))[0]
    name = (Said("kernel", "orange"),)
    yield words(left - 12, p.k.y + p.k.height / 2, name, "orange", size=15, anchor="end", bold=True)


def _tap(p: Placed, channel: int, term: Term) -> str:
    """The name of a kernel's cell, where there is one kernel only."""
    return named("w", (channel, *term.tap[2:])) if term.tap and len(p.work.y) == 1 else ""
