"""Numbers as colours: signed ones from blue over white to red, others from black to white."""

from __future__ import annotations

import numpy as np

BELOW, ZERO, ABOVE = (np.array(colour, np.float64) for colour in ((43, 108, 176), (255, 255, 255), (184, 69, 42)))


def diverging(values: np.ndarray, most: float) -> np.ndarray:
    """Blue at −most, white at 0, red at most; uint8 (*shape, 3).

    Args:
        values: of any shape; what lies beyond ±most is drawn as ±most.
        most: above 0; 0 where every value is.
    Example:
        >>> diverging(np.array([-2.0, 0.0, 1.0]), 2.0).tolist()
        [[43, 108, 176], [255, 255, 255], [220, 162, 148]]
    """
    share = np.clip(values / (most or 1.0), -1, 1)[..., None]
    towards = np.where(share < 0, BELOW, ABOVE)
    return np.rint(ZERO + np.abs(share) * (towards - ZERO)).astype(np.uint8)


def grey(values: np.ndarray, most: float) -> np.ndarray:
    """Black at 0, white at most; uint8 of the same shape.

    >>> grey(np.array([0.0, 1.0, 5.0]), 4.0).tolist()
    [0, 64, 255]
    """
    return np.rint(255 * np.clip(values / (most or 1.0), 0, 1)).astype(np.uint8)
