"""What a transform of inputs is, and where the samples of a volume lie that it moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from torch import Tensor


class Grid(NamedTuple):
    """Where the samples of one axis lie, measured in samples of the input: first, first + step, …, `size` of them."""

    first: float
    step: float
    size: int


@dataclass(frozen=True)
class Frame:
    """The places of a volume's samples, and the middle of the input, about which things turn.

    The input's own frame has first = 0 and step = 1; that of a layer's output is where its receptive fields have
    their centres. A transform is one and the same in both; only the places at which it is read differ.
    """

    grids: tuple[Grid, ...]
    centre: tuple[float, ...]

    @classmethod
    def of_input(cls, size: Sequence[int]) -> Frame:
        return cls(tuple(Grid(0.0, 1.0, n) for n in size), tuple((n - 1) / 2 for n in size))


class Transform:
    """A family of transforms, one for each size.

    Attributes:
        name: as `lenrek.equivariance` and the command know it.
        unit: of the size.
        sizes: the usual ones.
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    sizes: ClassVar[tuple[float, ...]]

    def check(self, in_size: Sequence[int]) -> None:
        """Raise `OptionError` where samples of this size cannot be transformed so."""

    def check_sizes(self, sizes: Sequence[float]) -> None:
        """Raise `OptionError` for a size that means nothing."""

    def apply(self, x: Tensor, frame: Frame, size: float) -> Tensor:
        """`x` (batch, channels, *size), whose samples lie as `frame` says, transformed; a new tensor."""
        raise NotImplementedError

    def expect(self, y: Tensor, frame: Frame, size: float) -> Tensor:
        """What equivariance expects of a layer's output `y`: the same transform, read at the output's places."""
        return self.apply(y, frame, size)

    def known(self, valid: Tensor, frame: Frame, size: float) -> Tensor:
        """Which samples of `apply` come from valid samples alone, and none from outside: bool, of the frame's shape."""
        raise NotImplementedError

    def describe(self) -> str:
        return self.name
