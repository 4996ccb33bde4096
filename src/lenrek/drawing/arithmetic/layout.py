"""The picture of an operation: its input, kernel and output as cells, and at each step what is read and written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np

from lenrek.drawing.arithmetic.block import Block
from lenrek.drawing.arithmetic.values import axes_words, written
from lenrek.drawing.arithmetic.words import TITLES, in_words, size_sums, subtitle, sum_lines
from lenrek.drawing.arithmetic.work import NOTHING, SAMPLE, Step, Term, Work
from lenrek.drawing.scene.shapes import Box, Line, Said, Scene, Shape, width_of, words

Show = Literal["numbers", "colours", "both"]

MARGIN, GAP = 24, 56  # px around the picture, and between its blocks
HEAD = 26  # px for the name above a block
SUM_SIZE = 17.0  # px, letters of the sum
LINE = 1.5  # of the letters' size, from one line to the next


@dataclass(frozen=True)
class Taste:
    """How a picture looks.

    Attributes:
        show: the values as numbers, as colours, or both.
        title: above the picture; None: what the operation is; "": none.
        growing: outputs appear with their step; else all are there.
        only: the step that a still is made for; the others are left out.
    """

    show: Show = "numbers"
    title: str | None = None
    growing: bool = False
    only: int | None = None


def lay_out(work: Work, taste: Taste) -> Scene:
    """The picture with all its steps, or with one of them."""
    return _Layout(work, taste).scene()


class _Layout:
    def __init__(self, work: Work, taste: Taste) -> None:
        self.work, self.taste = work, taste
        self.stacked = work.ndim != 2  # rows and slices lie below each other, images side by side
        side = self._cell_side()
        kernel = (1, *[1] * work.ndim) if work.weight is None else work.kernel_of(0).shape
        several = max(len(work.x), len(work.y)) > 1 or work.ndim == 3
        x = Block(work.x.shape, side, named=several)
        k = Block(kernel, side, named=several and (kernel[0] > 1 or work.ndim == 3))
        y = Block(work.y.shape, side, named=several)
        self.letters_top = MARGIN
        top = MARGIN + (62 if taste.title != "" else 30) + HEAD
        gap = GAP if work.weight is None or not self.stacked else GAP - 12
        if self.stacked:
            self.x = replace(x, x=MARGIN, y=top)
            self.k = replace(k, x=MARGIN, y=self.x.y + x.height + gap)
            below = self.x.y + x.height if work.weight is None else self.k.y + k.height
            self.y = replace(y, x=MARGIN, y=below + gap)
            self.bottom = self.y.y + y.height
            right = max(self.x.x + x.width, self.k.x + k.width, self.y.x + y.width)
        else:
            height = max(x.height, y.height, 0 if work.weight is None else k.height)
            # Names above blocks need their width, too.
            widths = [max(block.width, self._name_width(n)) for n, block in enumerate((x, k, y))]
            self.x = replace(x, x=MARGIN, y=top + (height - x.height) / 2)
            self.k = replace(k, x=self.x.x + widths[0] + gap, y=top + (height - k.height) / 2)
            after = self.x.x + widths[0] if work.weight is None else self.k.x + widths[1]
            self.y = replace(y, x=after + gap, y=top + (height - y.height) / 2)
            self.bottom, right = top + height, self.y.x + widths[2]
        self.width = max(right + MARGIN, 560.0, self._words_width())
        if work.ndim == 1:  # in the middle, where windows slide under the input
            shift = (self.width - x.width) / 2 - self.x.x
            self.x = replace(self.x, x=self.x.x + shift)
            self.y = replace(self.y, x=(self.width - y.width) / 2)
        elif not self.stacked:
            shift = max(0.0, (self.width - (right + MARGIN)) / 2)
            self.x, self.k, self.y = (replace(b, x=b.x + shift) for b in (self.x, self.k, self.y))

    def scene(self) -> Scene:
        work, taste = self.work, self.taste
        letters = int((self.width - 2 * MARGIN) / width_of("0", SUM_SIZE))
        chosen = range(len(work.steps)) if taste.only is None else [taste.only]
        sums = {n: sum_lines(work, work.steps[n], letters) for n in chosen}
        sum_top = self.bottom + 44
        sizes_top = sum_top + max(map(len, sums.values())) * SUM_SIZE * LINE + 10
        lines = size_sums(work)
        height = sizes_top + len(lines) * 20 + MARGIN - 8
        told = tuple(in_words(work, work.steps[n]) for n in chosen)
        name = f"{self._title() or TITLES[work.kind]}: {subtitle(work)}."
        if taste.only is not None:
            scene = Scene(self.width, height, f"{name} {told[0]}")
        else:
            scene = Scene(self.width, height, name, len(work.steps), told)
        scene.under.extend(self._cells())
        if taste.show != "numbers":
            scene.under.extend(self._outlines())
        scene.over.extend(self._texts())
        for number, line in enumerate(lines):
            scene.over.append(words(MARGIN, sizes_top + 10 + 20 * number, line, "soft", size=13, anchor="start"))
        for number in chosen:
            step, when = work.steps[number], range(number, number + 1) if taste.only is None else None
            scene.between.extend(replace(s, steps=when) for s in self._read(step))
            scene.over.extend(replace(s, steps=when) for s in self._written(step))
            for row, said in enumerate(sums[number]):
                y = sum_top + row * SUM_SIZE * LINE
                written_out = words(MARGIN, y, said, "ink", size=SUM_SIZE, anchor="start")
                scene.over.append(replace(written_out, steps=when))
        if not self._slides:
            for channel, when in self._channel_steps(chosen):
                scene.over.extend(replace(s, steps=when) for s in self._kernel_texts(channel))
        return scene

    @property
    def _slides(self) -> bool:
        """Whether the kernel moves along below a signal."""
        return self.work.ndim == 1 and self.work.weight is not None

    def _cell_side(self) -> float:
        """px: smaller where there are many cells, and as wide as the longest number where numbers are shown."""
        work = self.work
        across = (work.x.shape[1] if work.ndim == 3 else 1) * work.x.shape[-1]
        across = max(across, (work.y.shape[1] if work.ndim == 3 else 1) * work.y.shape[-1])
        down = work.x.shape[-2] * (1 if work.ndim == 1 else len(work.x)) if work.ndim > 1 else len(work.x)
        wanted = min(44.0, max(1300 / across if self.stacked else 680 / across, 12), max(1000 / down, 12))
        if self.taste.show == "colours":
            return min(wanted, 36.0)
        return max(wanted, 26.0)

    def _fits(self, text: str, size: float) -> float:
        """The size at which a number fits into its cell."""
        return min(size, 1.56 * self.x.cell / max(1, len(text)))

    def _title(self) -> str:
        return TITLES[self.work.kind] if self.taste.title is None else self.taste.title

    def _words_width(self) -> float:
        work = self.work
        lines = [(subtitle(work), 14.0), (self._title(), 18.0), *((line, 13.0) for line in size_sums(work))]
        return 2 * MARGIN + max(0.93 * width_of(text, size) for text, size in lines)

    def _name(self, place: int) -> str:
        work = self.work
        if place == 1:
            return "" if work.weight is None else f"kernel {axes_words(work.weight.shape[2:])}"
        name, volume, size = ("input", work.x, work.in_size) if place == 0 else ("output", work.y, work.y.shape[1:])
        channels = f"{len(volume)} channels of " if len(volume) > 1 else ""
        return f"{name} {channels}{axes_words(size)}"

    def _name_width(self, place: int) -> float:
        return 1.1 * width_of(self._name(place), 15)  # bold

    def _cells(self) -> Iterator[Shape]:
        """Every cell once."""
        work, colours = self.work, self.taste.show != "numbers"
        deepest = 1.0 if self.taste.show == "colours" else 0.55  # numbers on strong colours could not be read
        most = (float(np.abs(work.x).max()) or 1.0) / deepest
        for cell in sorted(self.x.cells(), key=lambda cell: work.kinds[cell[1:]] == SAMPLE):  # their outlines win
            kind, value = str(work.kinds[cell[1:]]), float(work.x[cell])
            if colours and kind != NOTHING:
                share = (1.0 if kind == SAMPLE else 0.5) * abs(value) / most
                yield self._box(self.x, cell, "ground")
                yield self._box(self.x, cell, "less" if value < 0 else "more", share, self._sample(cell))
            else:
                yield self._box(self.x, cell, kind, holds=self._sample(cell))
        if work.weight is not None and not self._slides:
            for cell in self.k.cells():
                yield self._box(self.k, cell, "kernel", holds=_named("w", cell) if len(work.y) == 1 else "")
        most = (float(np.abs(work.y).max()) or 1.0) / deepest
        for number, cell in enumerate(self.y.cells()):
            when = range(number, len(work.steps)) if self.taste.growing and number else None
            if when is not None:
                yield self._box(self.y, cell, "empty")
            if colours:
                value = float(work.y[cell])
                role = "less" if value < 0 else "more"
                yield replace(self._box(self.y, cell, role, abs(value) / most, _named("y", cell)), steps=when)
            else:
                yield replace(self._box(self.y, cell, "output", holds=_named("y", cell)), steps=when)

    def _sample(self, cell: tuple[int, ...]) -> str:
        """The name of a sample of the input by its place among the samples; none for what lies around and between."""
        if self.work.kinds[cell[1:]] != SAMPLE:
            return ""
        index = [(i - first) // apart for i, (first, apart) in zip(cell[1:], self.work.lattice, strict=True)]
        return _named("x", (cell[0], *index))

    def _outlines(self) -> Iterator[Shape]:
        """Around the samples and the outputs, where colours alone would not tell them from what lies around."""
        for block, covers, role in ((self.x, self.work.extent, "input-frame"), (self.y, None, "output-frame")):
            for channel in range(block.shape[0]):
                for x, y, width, height in block.frames(channel, covers or [range(n) for n in block.shape[1:]]):
                    yield Box(role=role, x=x, y=y, width=width, height=height)

    def _box(self, block: Block, cell: tuple[int, ...], role: str, strength: float = 1.0, holds: str = "") -> Box:
        x, y = block.corner(cell)
        return Box(role=role, x=x, y=y, width=block.cell, height=block.cell, strength=strength, cell=holds)

    def _texts(self) -> Iterator[Shape]:
        """Title, names and numbers."""
        work = self.work
        y = self.letters_top + 8
        if self._title():
            yield words(MARGIN, y, self._title(), "ink", size=18, anchor="start", bold=True)
            y += 27
        yield words(MARGIN, y, subtitle(work), "soft", size=14, anchor="start")
        for place, (block, role) in enumerate(((self.x, "blue"), (self.k, "orange"), (self.y, "green"))):
            name = self._name(place)
            if name and not (place == 1 and self._slides):
                yield words(block.x, block.y - 15, name, role, size=15, anchor="start", bold=True)
        if not self.stacked:
            yield from self._signs()
        for block in (self.x, self.y):
            if block.named:
                for channel in range(block.shape[0]):
                    yield from self._labels(block, channel, self._channel_name(block, channel))
        if self.taste.show == "colours":
            return
        for cell in self.x.cells():
            kind = work.kinds[cell[1:]]
            if kind != NOTHING:
                role = "ink" if kind == SAMPLE else "faint"
                yield self._number(self.x, cell, float(work.x[cell]), role)
        for number, cell in enumerate(self.y.cells()):
            when = range(number, len(work.steps)) if self.taste.growing and number else None
            yield replace(self._number(self.y, cell, float(work.y[cell]), "ink"), steps=when)

    def _signs(self) -> Iterator[Shape]:
        """Between images: input ⋆ kernel = output, or an arrow where there is no kernel.

        What a transposed correlation does to the samples with zeros between is a convolution, and the other way round.
        """
        middle = self.y.y + self.y.height / 2
        if self.work.weight is None:
            yield words((self.x.x + self.x.width + self.y.x) / 2, middle, "→", "soft", size=26)
            return
        sign = "∗" if self.work.kind in ("convolve", "correlate_transposed") else "⋆"
        yield words((self.x.x + self.x.width + self.k.x) / 2, middle, sign, "soft", size=26)
        yield words((self.k.x + self.k.width + self.y.x) / 2, middle, "=", "soft", size=26)

    def _labels(self, block: Block, channel: int, name: str) -> Iterator[Shape]:
        """The name of a channel, and those of its slices."""
        if self.work.ndim < 3:
            yield words(*block.labels(channel)[0], name, "soft", size=12, anchor="start")
            return
        first = self.first_slice if block is self.x else 0
        several = max(len(self.work.x), len(self.work.y)) > 1
        for number, (x, y) in enumerate(block.labels(channel)):
            text = f"depth {written(first + number)}"
            yield words(x, y, f"{name}, {text}" if several and not number else text, "soft", size=12, anchor="start")

    @property
    def first_slice(self) -> int:
        """The position of the first slice of a volume that is drawn: negative in the padding."""
        return -self.work.extent[0].start

    def _channel_name(self, block: Block, channel: int) -> str:
        name = f"channel {channel}"
        if self.work.weight is not None and self.work.groups > 1:
            group = channel // (block.shape[0] // self.work.groups)
            name += f", group {group}"
        return name

    def _number(self, block: Block, cell: tuple[int, ...], value: float, role: str, bold: bool = False) -> Shape:
        x, y = block.middle(cell)
        text = written(value)
        return words(x, y, text, role, size=self._fits(text, 0.42 * block.cell), bold=bold)

    def _read(self, step: Step) -> Iterator[Shape]:
        """The window: its cells, a frame around it, and where it leads."""
        work = self.work
        channels = work.channels_of(step.output[0])
        read = [term.cell for term in step.terms]
        role = "window"
        if work.ndim == 1:
            yield from self._beam(step, channels)
        for cell in dict.fromkeys(read):
            if self.taste.show == "numbers":
                yield self._box(self.x, cell, role)
        if step.chosen is not None and self.taste.show == "numbers":
            yield self._box(self.x, step.terms[step.chosen].cell, "chosen")
        for channel in channels:
            for x, y, width, height in self.x.frames(channel, step.covers):
                yield Box(role="frame", x=x, y=y, width=width, height=height, radius=3)

    def _beam(self, step: Step, channels: range) -> Iterator[Shape]:
        """From a signal's window through the kernel to the output."""
        first, last = step.covers[0][0], step.covers[0][-1]
        left, _ = self.x.corner((channels[-1], first))
        right = self.x.corner((channels[-1], last))[0] + self.x.cell
        top = self.x.corner((channels[-1], 0))[1] + self.x.cell
        x, y = self.y.corner(step.output)
        if self.work.weight is not None:
            below = self.k.y + self.k.height
            yield Line(role="beam", closed=True,
                       points=((left, top), (right, top), (right, below), (left, below)))  # fmt: skip
            top = below
        yield Line(role="beam", closed=True, points=((left, top), (right, top), (x + self.y.cell, y), (x, y)))
        for start, end in ((left, x), (right, x + self.y.cell)):
            yield Line(role="beam-line", points=((start, top), (end, y)))

    def _written(self, step: Step) -> Iterator[Shape]:
        """Weights in the window's corners, the maximum, the output; and the kernel under a signal."""
        work, numbers = self.work, self.taste.show != "colours"
        if work.weight is not None and numbers and not self._slides and self.x.cell >= 34:
            yield from self._corner_weights(step)
        if step.chosen is not None and self.taste.show == "numbers":
            term = step.terms[step.chosen]
            yield self._number(self.x, term.cell, term.sample, "on-strong", bold=True)
        if self._slides:
            yield from self._sliding_kernel(step)
        if self.taste.show == "numbers":
            yield self._box(self.y, step.output, "current")
            yield self._number(self.y, step.output, step.value, "on-strong", bold=True)
        else:
            yield self._box(self.y, step.output, "current-frame")

    def _corner_weights(self, step: Step) -> Iterator[Shape]:
        found: dict[tuple[int, ...], list[str]] = {}
        for term in step.terms:
            found.setdefault(term.cell, []).append(written(term.weight))
        for cell, texts in found.items():
            x, y = self.x.corner(cell)
            text, size = ",".join(texts), 0.25 * self.x.cell
            size = min(size, 0.9 * self.x.cell / (0.6 * len(text)))
            corner = x + self.x.cell - 3, y + self.x.cell - 0.62 * size - 1
            yield words(*corner, text, "orange", size=size, anchor="end", bold=True)

    def _sliding_kernel(self, step: Step) -> Iterator[Shape]:
        """The kernel below the samples that it meets, a row for each channel."""
        work, channels = self.work, self.work.channels_of(step.output[0])
        for number, (start, end) in enumerate(pairwise([*range(0, len(step.terms), len(step.terms) // len(channels)),
                                                        len(step.terms)])):  # fmt: skip
            block = replace(self.k, x=self.x.x)
            for term in step.terms[start:end]:
                cell = (number, term.cell[1])
                yield self._box(block, cell, "kernel", holds=self._tap(number, term))
                if self.taste.show != "colours" or work.weight is not None:
                    yield self._number(block, cell, term.weight, "ink")
        left = self.x.corner((channels[0], step.covers[0][0]))[0]
        yield words(left - 12, self.k.y + self.k.height / 2, (Said("kernel", "orange"),), "orange", size=15,
                    anchor="end", bold=True)  # fmt: skip

    def _tap(self, channel: int, term: Term) -> str:
        """The name of a kernel's cell, where there is one kernel only."""
        return _named("w", (channel, *term.tap[2:])) if term.tap and len(self.work.y) == 1 else ""

    def _kernel_texts(self, channel: int) -> Iterator[Shape]:
        """The kernel of one output channel, and a veil over the channels that it does not read."""
        work = self.work
        if work.weight is not None:
            kernel = work.kernel_of(channel)
            for cell in self.k.cells():
                yield self._number(self.k, cell, float(kernel[cell]), "ink")
            if self.k.named:
                for number, source in enumerate(work.channels_of(channel)):
                    yield from self._labels(self.k, number, f"{source} → {channel}")
            elif len(work.y) > 1:
                source = work.channels_of(channel)[0]
                yield words(self.k.x, self.k.y + self.k.height + 14, f"channel {source} → {channel}", "soft", size=12,
                            anchor="start")  # fmt: skip
        for other in range(len(work.x)):
            if other not in work.channels_of(channel):
                x, y, width, height = self.x.panel(other)
                yield Box(role="ground", x=x - 2, y=y - 2, width=width + 4, height=height + 4, strength=0.6)

    def _channel_steps(self, chosen: range | list[int]) -> Iterator[tuple[int, range | None]]:
        """The steps at which each output channel is computed."""
        if self.taste.only is not None:
            yield self.work.steps[self.taste.only].output[0], None
            return
        each = len(self.work.steps) // len(self.work.y)
        for channel in range(len(self.work.y)):
            yield channel, range(channel * each, (channel + 1) * each)


def _named(volume: str, cell: Iterable[int]) -> str:
    return f"{volume}:{','.join(map(str, cell))}"
