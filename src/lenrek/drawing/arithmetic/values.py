"""Numbers for a picture: those given, or small whole ones that look like no pattern; and how they are written."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from lenrek.drawing.arithmetic.limits import refuse_many
from lenrek.errors import OptionError, ShapeError
from lenrek.geometry.axes import is_integer, sizes_of

GOLDEN, SILVER = 0.6180339887498949, 0.41421356237309515  # steps around a circle that never come back


def samples(shape: Sequence[int]) -> np.ndarray:
    """Digits from 0 to 9.

    >>> samples((2, 6))
    array([[6., 2., 8., 4., 0., 7.],
           [3., 9., 5., 1., 7., 4.]])
    """
    turned = (1 + np.arange(prod(shape))) * GOLDEN % 1
    return np.floor(10 * turned).reshape(tuple(shape))


def weights(shape: Sequence[int]) -> np.ndarray:
    """Whole numbers from −2 to 2, so that a kernel has no symmetry.

    >>> weights((3, 3))
    array([[ 0.,  2., -1.],
           [ 1., -2.,  0.],
           [ 2., -1.,  1.]])
    """
    turned = (1 + np.arange(prod(shape))) * SILVER % 1
    return np.floor(5 * turned).reshape(tuple(shape)) - 2


def read(value: Any, made: Any, who: str, name: str) -> np.ndarray:
    """An array of finite numbers as float64; whole numbers in a row are a shape, which `made` fills.

    Raises:
        ShapeError: a shape without axes, or with a size below 1.
        OptionError: what is no array of finite real numbers.
    """
    if isinstance(value, list | tuple) and all(is_integer(entry) for entry in value):
        shape = sizes_of(value, who, name)
        refuse_many(prod(shape), f"{name} {' × '.join(map(str, shape))}", who)
        return made(shape)
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    try:
        given = np.asarray(value)
        if np.iscomplexobj(given):
            raise TypeError
        found = given.astype(np.float64)
    except (TypeError, ValueError):
        raise OptionError(f"{who}: {name} is no array of real numbers, nor a shape: {value!r:.60}.") from None
    if not found.size:
        raise ShapeError(f"{who}: {name} has the shape {found.shape}, expected at least 1 number.")
    if not np.isfinite(found).all():
        raise OptionError(f"{who}: {name} holds NaN or an infinity, expected finite numbers.")
    refuse_many(found.size, name, who)
    return found


def written(value: float, digits: int = 3) -> str:
    """A number as a picture has it: whole where it is whole, with a true minus.

    >>> written(-3.0), written(0.12345), written(-1234.56), written(1e-9)
    ('−3', '0.123', '−1235', '1e−9')
    """
    if value == round(value) and abs(value) < 1e6:
        text = str(round(value))
    else:
        text = f"{value:.{max(digits, len(str(int(abs(value)))))}g}" if abs(value) < 1e6 else f"{value:.{digits}g}"
    return text.replace("e-0", "e-").replace("e+0", "e+").replace("-", "−")


def axes_words(values: Sequence[object]) -> str:
    """One entry per axis: "3 × 5"; a single one where all are equal and there are several would hide the axes."""
    return " × ".join(map(str, values))
