"""An operation carried out cell by cell, so that a picture of it can show what every output is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

SAMPLE, PADDING, GAP, NOTHING = "input", "padding", "gap", "nothing"


class Term(NamedTuple):
    """What one tap of a window adds.

    Attributes:
        cell: (channel, *index) in `Work.x`.
        sample: the value there.
        tap: index in `Work.weight`, None where there is no kernel.
        weight: the value there, 1 where there is no kernel.
    """

    cell: tuple[int, ...]
    sample: float
    tap: tuple[int, ...] | None
    weight: float


@dataclass(frozen=True)
class Step:
    """One output: where it is, what it reads, and its value.

    Attributes:
        output: (channel, *position).
        terms: in the order of the kernel; what a pooling does not count is not among them.
        chosen: the term that a maximum is taken from.
        covers: per axis the cells from the first that the window reads to the last.
    """

    output: tuple[int, ...]
    terms: tuple[Term, ...]
    value: float
    chosen: int | None = None
    covers: tuple[range, ...] = ()


@dataclass(frozen=True, eq=False)
class Work:
    """An operation on one sample.

    Attributes:
        kind: "correlate", "convolve", "correlate_transposed", "convolve_transposed", "max", "average" or "norm".
        x: (in_channels, *cells): the input with what lies around and between its samples, as it is read.
        kinds: (*cells), what each is: SAMPLE, PADDING, GAP (a zero between the samples) or NOTHING (no value).
        weight: as the operation is given it; None for pooling.
        bias: (out_channels,), or None.
        y: (out_channels, *out_size), the sums of the steps.
        steps: one for each output, channel by channel and row by row.
        in_size, groups: of the operation.
        facts: its other arguments in words.
        sums: per axis the arithmetic of the output's size, in words.
        norm_type: of "norm".
    """

    kind: str
    x: np.ndarray
    kinds: np.ndarray
    weight: np.ndarray | None
    bias: np.ndarray | None
    y: np.ndarray
    steps: tuple[Step, ...]
    in_size: tuple[int, ...]
    groups: int
    facts: tuple[str, ...]
    sums: tuple[str, ...]
    norm_type: float = 2.0

    @property
    def ndim(self) -> int:
        return len(self.in_size)

    @property
    def transposed(self) -> bool:
        return self.kind.endswith("_transposed")

    @cached_property
    def extent(self) -> tuple[range, ...]:
        """Per axis the cells from the first sample to the last."""
        samples = np.argwhere(self.kinds == SAMPLE)
        return tuple(range(int(a), int(b) + 1) for a, b in zip(samples.min(axis=0), samples.max(axis=0), strict=True))

    @cached_property
    def lattice(self) -> tuple[tuple[int, int], ...]:
        """Per axis the cell of the first sample, and how many cells lie from one sample to the next."""
        return tuple(
            (places[0], (len(places) - 1) // (n - 1) if n > 1 else 1)
            for places, n in zip(self.extent, self.in_size, strict=True)
        )

    def kernel_of(self, output_channel: int) -> np.ndarray:
        """(in_channels/groups, *kernel_size): what one output channel is made with."""
        assert self.weight is not None
        if not self.transposed:
            return self.weight[output_channel]
        per_group = self.weight.shape[1]
        group = self.group_of(output_channel)
        ins = len(self.weight) // self.groups
        return self.weight[group * ins : (group + 1) * ins, output_channel % per_group]

    def group_of(self, output_channel: int) -> int:
        return output_channel // (len(self.y) // self.groups)

    def channels_of(self, output_channel: int) -> range:
        """The input channels that an output channel reads."""
        if self.weight is None:
            return range(output_channel, output_channel + 1)
        size = len(self.x) // self.groups
        return range(self.group_of(output_channel) * size, (self.group_of(output_channel) + 1) * size)

    def products(self, step: Step) -> tuple[Term, ...]:
        """The terms that a sum is written with: of a transposed operation those of samples, as the others are zero."""
        if not self.transposed:
            return step.terms
        return tuple(term for term in step.terms if self.kinds[term.cell[1:]] == SAMPLE)


def extended(x: np.ndarray, found: Sequence[Sequence[int | None]], constant: float) -> np.ndarray:
    """x (channels, *size) read at the samples `found` for each axis; None reads the constant."""
    inside = np.ones([len(places) for places in found], dtype=bool)
    for axis, places in enumerate(found):
        x = np.take(x, [0 if place is None else place for place in places], axis=1 + axis)
        there = np.array([place is not None for place in places])
        inside &= there.reshape([-1 if other == axis else 1 for other in range(len(found))])
    return np.where(inside, x, constant)


def gathered(steps: Sequence[Step], channels: int, size: Sequence[int]) -> np.ndarray:
    """(channels, *size) of the steps' values."""
    return np.array([step.value for step in steps], dtype=np.float64).reshape(channels, *size)
