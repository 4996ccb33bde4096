"""Where input, kernel and output lie on paper, and how their cells and numbers are drawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from lenrek.drawing.arithmetic.block import Block
from lenrek.drawing.arithmetic.values import axes_words, written
from lenrek.drawing.arithmetic.words import TITLES, size_sums, subtitle
from lenrek.drawing.arithmetic.work import Work
from lenrek.drawing.scene.shapes import Box, Shape, width_of, words

Show = Literal["numbers", "colours", "both"]

MARGIN, GAP = 24, 56  # px around the picture, and between its blocks
HEAD = 26  # px for the name above a block


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


class Placed:
    """An operation on paper.

    Attributes:
        x, k, y: the blocks of input, kernel and output.
        stacked: signals and slices lie below each other, images side by side.
        slides: the kernel moves along below a signal.
        width, bottom: of the blocks, with the margin at the right.
    """

    def __init__(self, work: Work, taste: Taste) -> None:
        self.work, self.taste = work, taste
        self.stacked = work.ndim != 2  # rows and slices lie below each other, images side by side
        self.slides = work.ndim == 1 and work.weight is not None
        side = self._cell_side()
        kernel = (1, *[1] * work.ndim) if work.weight is None else work.kernel_of(0).shape
        several = max(len(work.x), len(work.y)) > 1 or work.ndim == 3
        x = Block(work.x.shape, side, named=several)
        k = Block(kernel, side, named=several and (kernel[0] > 1 or work.ndim == 3))
        y = Block(work.y.shape, side, named=several)
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

    def title(self) -> str:
        return TITLES[self.work.kind] if self.taste.title is None else self.taste.title

    def name(self, place: int) -> str:
        work = self.work
        if place == 1:
            return "" if work.weight is None else f"kernel {axes_words(work.weight.shape[2:])}"
        name, volume, size = ("input", work.x, work.in_size) if place == 0 else ("output", work.y, work.y.shape[1:])
        channels = f"{len(volume)} channels of " if len(volume) > 1 else ""
        return f"{name} {channels}{axes_words(size)}"

    def box(self, block: Block, cell: tuple[int, ...], role: str, strength: float = 1.0, holds: str = "") -> Box:
        x, y = block.corner(cell)
        return Box(role=role, x=x, y=y, width=block.cell, height=block.cell, strength=strength, cell=holds)

    def number(self, block: Block, cell: tuple[int, ...], value: float, role: str, bold: bool = False) -> Shape:
        x, y = block.middle(cell)
        text = written(value)
        return words(x, y, text, role, size=self.fits(text, 0.42 * block.cell), bold=bold)

    def labels(self, block: Block, channel: int, name: str) -> Iterator[Shape]:
        """The name of a channel, and those of its slices."""
        if self.work.ndim < 3:
            yield words(*block.labels(channel)[0], name, "soft", size=12, anchor="start")
            return
        several = max(len(self.work.x), len(self.work.y)) > 1
        first, apart = self.work.lattice[0] if block is self.x else (0, 1)
        for number, (x, y) in enumerate(block.labels(channel)):
            depth, between = divmod(number - first, apart)
            text = "zeros" if between else f"depth {written(depth)}"
            yield words(x, y, f"{name}, {text}" if several and not number else text, "soft", size=12, anchor="start")

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

    def fits(self, text: str, size: float) -> float:
        """The size at which a number fits into its cell."""
        return min(size, 1.56 * self.x.cell / max(1, len(text)))

    def _words_width(self) -> float:
        work = self.work
        lines = [(subtitle(work), 14.0), (self.title(), 18.0), *((line, 13.0) for line in size_sums(work))]
        return 2 * MARGIN + max(0.93 * width_of(text, size) for text, size in lines)

    def _name_width(self, place: int) -> float:
        return 1.1 * width_of(self.name(place), 15)  # bold


def named(volume: str, cell: Iterable[int]) -> str:
    return f"{volume}:{','.join(map(str, cell))}"
