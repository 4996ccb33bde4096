"""Where the cells of a volume lie on paper: an axis as a row, two as a grid, three as slices side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

SLICE_GAP = 14  # px between the slices of a volume
CHANNEL_GAP = 12
LABEL = 17  # above each channel, where there are several


@dataclass(frozen=True)
class Block:
    """A volume (channels, *size) with its left upper corner at x, y.

    Attributes:
        cell: px, the side of one cell.
        named: whether each channel has room for a label above it.
    """

    shape: tuple[int, ...]
    cell: float
    x: float = 0.0
    y: float = 0.0
    named: bool = False

    @property
    def _panel(self) -> tuple[int, int]:
        """Rows and columns of one slice."""
        size = self.shape[1:]
        return (1, size[0]) if len(size) == 1 else (size[-2], size[-1])

    @property
    def _slices(self) -> int:
        return self.shape[1] if len(self.shape) == 4 else 1

    @property
    def width(self) -> float:
        return self._slices * self._panel[1] * self.cell + (self._slices - 1) * SLICE_GAP

    @property
    def height(self) -> float:
        return self.shape[0] * self._pitch - CHANNEL_GAP

    @property
    def _pitch(self) -> float:
        return self._panel[0] * self.cell + CHANNEL_GAP + (LABEL if self.named else 0)

    def corner(self, cell: Sequence[int]) -> tuple[float, float]:
        """Left and top of a cell (channel, *index)."""
        channel, *index = cell
        along = index[0] if len(index) == 3 else 0
        row, column = (0, index[0]) if len(index) == 1 else (index[-2], index[-1])
        x = self.x + along * (self._panel[1] * self.cell + SLICE_GAP) + column * self.cell
        y = self.y + channel * self._pitch + (LABEL if self.named else 0) + row * self.cell
        return x, y

    def middle(self, cell: Sequence[int]) -> tuple[float, float]:
        x, y = self.corner(cell)
        return x + self.cell / 2, y + self.cell / 2

    def cells(self) -> Iterator[tuple[int, ...]]:
        """All of them, channel by channel."""
        return product(*map(range, self.shape))

    def labels(self, channel: int) -> list[tuple[float, float]]:
        """Where the names of a channel's slices stand: their left ends, and the height of their middle."""
        places = [(channel, along, 0, 0) for along in range(self._slices)]
        corners = [self.corner(place if self._slices > 1 else self._first(channel)) for place in places]
        return [(x, y - LABEL / 2 - 1) for x, y in corners]

    def _first(self, channel: int) -> tuple[int, ...]:
        return (channel, *[0] * (len(self.shape) - 1))

    def panel(self, channel: int) -> tuple[float, float, float, float]:
        """x, y, width, height of one channel."""
        x, y = self.corner(self._first(channel))
        return x, y, self.width, self._panel[0] * self.cell

    def frames(self, channel: int, covers: Sequence[range]) -> list[tuple[float, float, float, float]]:
        """x, y, width, height around a box of cells: one for each slice that it goes through."""
        slices = list(covers[0]) if len(covers) == 3 else [None]
        rows, columns = (range(1), covers[0]) if len(covers) == 1 else (covers[-2], covers[-1])
        found = []
        for along in slices:
            first = [columns[0]] if len(covers) == 1 else [rows[0], columns[0]]
            x, y = self.corner((channel, *([] if along is None else [along]), *first))
            found.append((x, y, len(columns) * self.cell, len(rows) * self.cell))
        return found
