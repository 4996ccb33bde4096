"""Random changes to training samples that leave their class as it is, applied to stored batches.

Every draw is a function of (seed, epoch, source index, number of the draw) and of nothing else, so a sample is changed
alike in any batch, on any rank, streamed or from memory, resumed or not.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, from_numpy, where

from lenrek.errors import OptionError

SHIFT_DRAW, FLIP_DRAW = 0, 16  # a shift takes one draw per axis


@dataclass(frozen=True)
class Augmentation:
    """What is drawn for every training sample.

    Attributes:
        shift: up to this fraction of each axis, in whole samples; the edge is repeated where nothing was.
        flip: mirror the last axis of every other sample: left and right of images.
    """

    shift: float = 0.0
    flip: bool = False

    @classmethod
    def parse(cls, text: str) -> Augmentation:
        """Reads "none" or a list such as "shift=0.125,flip"; `str` is the inverse.

        Raises:
            OptionError: an unknown word, a value that is missing, too much or out of range, a word said twice.
        Example:
            >>> Augmentation.parse("shift=0.125,flip")
            Augmentation(shift=0.125, flip=True)
        """
        if text == "none":
            return cls()
        found: dict[str, float | bool] = {}
        for part in text.split(","):
            word, _, value = part.strip().partition("=")
            if word in found:
                raise OptionError(f"augmentation {text!r}: {word} is said twice.")
            found[word] = _value(word, value, text)
        return cls(**found)  # type: ignore[arg-type]

    def __str__(self) -> str:
        words = [f"shift={self.shift:g}"] * (self.shift > 0) + ["flip"] * self.flip
        return ",".join(words) or "none"

    def describe(self) -> str:
        """What is done, as a sentence for the report.

        >>> Augmentation(shift=0.125).describe()
        'In every epoch each training sample is shifted by up to 12.5 % along each axis (edges repeated).'
        """
        done = [f"shifted by up to {100 * self.shift:.4g} % along each axis (edges repeated)"] * (self.shift > 0)
        done += ["mirrored left to right with probability 1/2"] * self.flip
        if not done:
            return "Training samples are used as they are, without augmentation."
        return f"In every epoch each training sample is {' and '.join(done)}."

    def check(self, size: Sequence[int]) -> None:
        """Make sure that samples of this size can be changed so.

        Raises:
            OptionError: a flip of signals, or a shift that is less than one sample along every axis.
        """
        if self.flip and len(size) == 1:
            raise OptionError("augmentation flip: signals have no left and right.\n  Hint: leave flip out.")
        largest = max(size)
        if self.shift and int(self.shift * largest) == 0:
            raise OptionError(
                f"augmentation shift={self.shift:g}: {self.shift:g} · {largest} = {self.shift * largest:.3g} is less "
                "than one sample."
            )

    def apply(self, x: Tensor, index: np.ndarray, seed: int, epoch: int) -> Tensor:
        """The changed batch; `x` itself when there is nothing to do.

        Args:
            x: `(batch, channels, *size)` of any dtype, in main memory.
            index: (batch,) source indices.
        Raises:
            OptionError: as `check`.
        """
        size = x.shape[2:]
        self.check(size)
        if self.shift:
            x = from_numpy(_shifted(x.numpy(), self.shift, index, seed, epoch))
        if self.flip:
            mirrored = draw(seed, epoch, index, FLIP_DRAW) < 0.5
            x = where(from_numpy(mirrored).reshape(-1, 1, *(1 for _ in size)), x.flip(-1), x)
        return x


def _value(word: str, value: str, text: str) -> float | bool:
    if word == "flip":
        if value:
            raise OptionError(f"augmentation {text!r}: flip takes no value, but {value!r} was given.")
        return True
    if word != "shift":
        near = difflib.get_close_matches(word, ("shift", "flip", "none"), n=1)
        hint = f"did you mean {near[0]}?" if near else "for example shift=0.125,flip"
        raise OptionError(f"augmentation {text!r}: {word!r} is not one of none, shift, flip.\n  Hint: {hint}")
    try:
        fraction = float(value)
    except ValueError:
        fraction = float("nan")
    if not 0 < fraction < 1:
        raise OptionError(
            f"augmentation {text!r}: shift is {value!r}, but a fraction of the axis is expected, 0 < shift < 1."
        )
    return fraction


def _shifted(x: np.ndarray, shift: float, index: np.ndarray, seed: int, epoch: int) -> np.ndarray:
    size = x.shape[2:]
    reach = [int(shift * samples) for samples in size]
    # Each sample is a window of the padded batch: one gather of rows, whatever the number of axes.
    padded = np.pad(x, [(0, 0), (0, 0), *((r, r) for r in reach)], mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=tuple(range(2, x.ndim)))
    starts = [
        (draw(seed, epoch, index, SHIFT_DRAW + axis) * (2 * r + 1)).astype(np.int64) for axis, r in enumerate(reach)
    ]
    which: list[Any] = [np.arange(len(x)), slice(None), *starts]
    return windows[tuple(which)]


def draw(seed: int, epoch: int, index: np.ndarray, number: int) -> np.ndarray:
    """Uniform float64 in [0, 1) for each sample: the `number`-th draw of its epoch.

    Three rounds of splitmix64, one for each part of the key, so that keys that differ in one bit share nothing.

    Args:
        index: (batch,) source indices.
        number: which of an epoch's draws for the same sample.
    Source: Steele, Lea & Flood 2014, Fast splittable pseudorandom number generators, doi:10.1145/2660193.2660195.
    Example:
        >>> draw(0, 0, np.array([5, 6]), 0).round(6) == draw(0, 0, np.array([6, 5]), 0)[::-1].round(6)
        array([ True,  True])
    """
    key = _splitmix64(np.array([seed & (2**64 - 1)], np.uint64))
    key = _splitmix64(key ^ np.array([epoch << 32 | number], np.uint64))
    return (_splitmix64(key ^ np.asarray(index).astype(np.uint64)) >> np.uint64(11)) * 2.0**-53


def _splitmix64(state: np.ndarray) -> np.ndarray:
    z = state + np.uint64(0x9E3779B97F4A7C15)  # unsigned arithmetic of arrays wraps around, as it must
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
