"""The picture of an operation: its input, kernel and output as cells, and at each step what is read and written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lenrek.drawing.arithmetic.cells import cells, outlines, texts
from lenrek.drawing.arithmetic.marks import beam, kernel_of, results, veils, window
from lenrek.drawing.arithmetic.placed import MARGIN, Placed, Taste
from lenrek.drawing.arithmetic.words import TITLES, in_words, size_sums, subtitle, sum_lines
from lenrek.drawing.arithmetic.work import Work
from lenrek.drawing.scene.shapes import Scene, width_of, words

SUM_SIZE = 17.0  # px, letters of the sum
LINE = 1.5  # of the letters' size, from one line to the next


def lay_out(work: Work, taste: Taste) -> Scene:
    """The picture with all its steps, or with one of them."""
    p = Placed(work, taste)
    letters = int((p.width - 2 * MARGIN) / width_of("0", SUM_SIZE))
    chosen = range(len(work.steps)) if taste.only is None else [taste.only]
    sums = {n: sum_lines(work, work.steps[n], letters) for n in chosen}
    sum_top = p.bottom + 44
    sizes_top = sum_top + max(map(len, sums.values())) * SUM_SIZE * LINE + 10
    lines = size_sums(work)
    height = sizes_top + len(lines) * 20 + MARGIN - 8
    told = tuple(in_words(work, work.steps[n]) for n in chosen)
    name = f"{p.title() or TITLES[work.kind]}: {subtitle(work)}."
    if taste.only is not None:
        scene = Scene(p.width, height, f"{name} {told[0]}")
    else:
        scene = Scene(p.width, height, name, len(work.steps), told)
    when = {n: None if taste.only is not None else range(n, n + 1) for n in chosen}
    for number in chosen:
        scene.under.extend(replace(s, steps=when[number]) for s in beam(p, work.steps[number]))
    scene.under.extend(cells(p))
    if taste.show != "numbers":
        scene.under.extend(outlines(p))
    scene.over.extend(texts(p))
    for number, line in enumerate(lines):
        scene.over.append(words(MARGIN, sizes_top + 10 + 20 * number, line, "soft", size=13, anchor="start"))
    for number in chosen:
        step = work.steps[number]
        scene.between.extend(replace(s, steps=when[number]) for s in window(p, step))
        scene.over.extend(replace(s, steps=when[number]) for s in results(p, step))
        for row, said in enumerate(sums[number]):
            y = sum_top + row * SUM_SIZE * LINE
            written_out = words(MARGIN, y, said, "ink", size=SUM_SIZE, anchor="start")
            scene.over.append(replace(written_out, steps=when[number]))
    for channel, steps in _channel_steps(work, taste):
        shapes = [*veils(p, channel), *([] if p.slides else kernel_of(p, channel))]
        scene.over.extend(replace(s, steps=steps) for s in shapes)
    return scene


def _channel_steps(work: Work, taste: Taste) -> Iterator[tuple[int, range | None]]:
    """The steps at which each output channel is computed."""
    if taste.only is not None:
        yield work.steps[taste.only].output[0], None
        return
    each = len(work.steps) // len(work.y)
    for channel in range(len(work.y)):
        yield channel, range(channel * each, (channel + 1) * each)
