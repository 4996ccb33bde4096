"""Random numbers that belong to a sample and an epoch, whatever batch the sample is in."""

from __future__ import annotations

import numpy as np


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
    key = _splitmix64(np.array([seed & (2**64 - 1)], np.uint64))
    key = _splitmix64(key ^ (np.asarray(number).astype(np.uint64)[..., None] | np.uint64(epoch << 32)))
    return _splitmix64(key ^ np.asarray(index).astype(np.uint64))


def _splitmix64(state: np.ndarray) -> np.ndarray:
    z = state + np.uint64(0x9E3779B97F4A7C15)  # unsigned arithmetic of arrays wraps around, as it must
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
