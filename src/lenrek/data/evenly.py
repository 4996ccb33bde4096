"""Some of many, evenly spaced."""

from __future__ import annotations

import numpy as np


def evenly_spaced(count: int, most: int) -> np.ndarray:
    """Indices of at most `most` of `count` things, from the first to the last.

    >>> evenly_spaced(10, 4), evenly_spaced(2, 5)
    (array([0, 3, 6, 9]), array([0, 1]))
    """
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))
