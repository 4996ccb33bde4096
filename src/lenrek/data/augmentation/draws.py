"""Random numbers that belong to a sample and an epoch, whatever batch the sample is in."""

from __future__ import annotations

from typing import Any

import numpy as np

ONES = 2**64 - 1


def draw(seed: int, epoch: int, index: np.ndarray, number: int | np.ndarray) -> np.ndarray:
    """Uniform float64 in [0, 1) for each sample: the `number`-th draw of its epoch.

    Args:
        index: (batch,) source indices.
        number: which of an epoch's draws for the same sample; several of them give (…, batch).
    Example:
        >>> draw(0, 0, np.array([5, 6]), 0).round(6) == draw(0, 0, np.array([6, 5]), 0)[::-1].round(6)
        array([ True,  True])
    """
    return (bits(seed, epoch, index, number) >> np.uint64(11)) * 2.0**-53


def bits(seed: int, epoch: int, index: np.ndarray, number: int | np.ndarray) -> np.ndarray:
    """What `draw` draws, as 64 random bits each, to start another generator with.

    Three rounds of splitmix64, one for each part of the key, so that keys that differ in one bit share nothing.

    Source: Steele, Lea & Flood 2014, Fast splittable pseudorandom number generators, doi:10.1145/2660193.2660195.
    """
    # A single number stays Python's own: for so few, NumPy takes longer.
    numbers = number if isinstance(number, int) else np.asarray(number).astype(np.uint64)[..., None]
    key = _splitmix64(_splitmix64(seed & ONES) ^ (numbers | (epoch << 32)))
    return _splitmix64(key ^ np.asarray(index).astype(np.uint64))


def _splitmix64(state: Any) -> Any:
    """Of an int, or of uint64s."""
    z = state + 0x9E3779B97F4A7C15 & ONES
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & ONES
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & ONES
    return z ^ (z >> 31)
