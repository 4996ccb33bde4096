"""Which number a sample has in a flattened volume: the order that ties the weights of a layer to those of a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Literal, get_args

import torch
from torch import Tensor

from lenrek.errors import OptionError, ShapeError
from lenrek.geometry.axes import sizes_of

Order = Literal["row_major", "column_major"]


def flatten_volume(x: Tensor, order: Order = "row_major") -> Tensor:
    """Each volume as one vector, channel after channel.

    Within a channel, `row_major` puts the rows one after the other (the last axis counts fastest, as
    `torch.flatten` does) and `column_major` the columns (the first axis counts fastest): sample (c, r, s) of a
    (channels, R, S) volume has the number (c·R + r)·S + s in the first, and (c·S + s)·R + r in the second.
    The channels come one below the other in both, so that `column_major` is not the Fortran order of the whole volume,
    in which neighbours would be the channels of one pixel.

    Args:
        x: (batch, channels, *size), any type.
    Returns:
        (batch, channels·∏size).
    Raises:
        ShapeError: no spatial axis.
        OptionError: an unknown order.
    Example:
        >>> x = torch.arange(6).reshape(1, 1, 2, 3)
        >>> flatten_volume(x), flatten_volume(x, "column_major")
        (tensor([[0, 1, 2, 3, 4, 5]]), tensor([[0, 3, 1, 4, 2, 5]]))
    """
    check_order(order, "flatten_volume")
    if x.ndim < 3:
        raise ShapeError(
            f"flatten_volume: x is {tuple(x.shape)}, expected (batch, channels, *size) with at least one spatial axis."
        )
    return arranged(x, order).flatten(1)


def unflatten_volume(y: Tensor, shape: Sequence[int], order: Order = "row_major") -> Tensor:
    """The inverse of `flatten_volume`.

    Args:
        y: (batch, features), any type.
        shape: (channels, *size), of features = channels·∏size.
    Returns:
        (batch, channels, *size).
    Raises:
        ShapeError: `shape` has another number of samples than `y` has features.
        OptionError: an unknown order.
    Example:
        >>> unflatten_volume(torch.tensor([[0, 3, 1, 4, 2, 5]]), (1, 2, 3), "column_major")
        tensor([[[[0, 1, 2],
                  [3, 4, 5]]]])
    """
    check_order(order, "unflatten_volume")
    volume = sizes_of(shape, "unflatten_volume", "shape")
    if y.ndim != 2 or prod(volume) != y.shape[1]:
        raise ShapeError(
            f"unflatten_volume: y is {tuple(y.shape)}, expected (batch, features) with "
            f"{' · '.join(map(str, volume))} = {prod(volume)} features."
        )
    channels, *size = volume
    if order == "column_major":
        size.reverse()
    return arranged(y.reshape(-1, channels, *size), order)


def arranged(x: Tensor, order: Order) -> Tensor:
    """(batch, channels, *size) with the spatial axes reversed for `column_major`: twice is x again."""
    return x if order == "row_major" else x.permute(0, 1, *range(x.ndim - 1, 1, -1))


def site_numbers(size: Sequence[int], order: Order) -> Tensor:
    """The number of each sample of one channel, arranged as the channel is; its strides are what one step counts.

    >>> site_numbers((2, 3), "column_major")
    tensor([[0, 2, 4],
            [1, 3, 5]])
    """
    shape = size if order == "row_major" else size[::-1]
    numbers = torch.arange(prod(size)).reshape(1, 1, *shape)
    return arranged(numbers, order)[0, 0]


def check_order(order: object, who: str) -> None:
    """Raise `OptionError` for an unknown order."""
    if order not in get_args(Order):
        raise OptionError(f"{who}: order is {order!r}, expected one of {', '.join(get_args(Order))}.")
