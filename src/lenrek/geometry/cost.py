"""Parameters and multiply-accumulates of layers, counted from their integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from lenrek.errors import OptionError, ShapeError
from lenrek.geometry.axes import is_integer, per_axis, sizes_of


@dataclass(frozen=True)
class Cost:
    """What a layer holds and does for one sample.

    Attributes:
        parameters: trainable numbers, the biases included.
        macs: multiply-accumulates, one per weight used and position; those with zeros of the padding count, as they are
            computed, and the addition of a bias does not.
    """

    parameters: int
    macs: int


def convolution_cost(
    in_channels: int,
    out_channels: int,
    kernel_size: Sequence[int],
    positions: Sequence[int],
    *,
    groups: int = 1,
    bias: bool = True,
) -> Cost:
    """(∏ kernel_size · in_channels/groups + bias) · out_channels parameters, and every weight once per position.

    Args:
        kernel_size: samples per axis.
        positions: where the kernel is applied, per axis: the output size; for a transposed convolution the input size.
        groups: 1 for a dense convolution, `in_channels` for a depthwise one.
        bias: one more parameter per output channel.
    Raises:
        ShapeError: not one position count per axis, or groups that do not divide the channels.
        OptionError: a value below 1 or no integer.
    Example: a layer with one shared 5×5 filter between two images of 250×250.
        >>> convolution_cost(1, 1, (5, 5), (250, 250), bias=False)
        Cost(parameters=25, macs=1562500)
    """
    weights, sites = _weights(in_channels, out_channels, kernel_size, positions, groups, "convolution_cost")
    return Cost(parameters=weights + bias * out_channels, macs=weights * sites)


def local_cost(
    in_channels: int, out_channels: int, kernel_size: Sequence[int], positions: Sequence[int], *, bias: bool = True
) -> Cost:
    """As `convolution_cost`, for a locally connected layer: weights and biases of their own at every position.

    Example: the same two images, with unshared weights.
        >>> local_cost(1, 1, (5, 5), (250, 250), bias=False)
        Cost(parameters=1562500, macs=1562500)
    """
    weights, sites = _weights(in_channels, out_channels, kernel_size, positions, 1, "local_cost")
    return Cost(parameters=(weights + bias * out_channels) * sites, macs=weights * sites)


def dense_cost(in_features: int, out_features: int, *, bias: bool = True) -> Cost:
    """(in_features + bias) · out_features parameters: every output a sum over every input.

    Raises:
        OptionError: a value below 1 or no integer.
    Example: the same two images, fully connected.
        >>> dense_cost(250**2, 250**2, bias=False)
        Cost(parameters=3906250000, macs=3906250000)
    """
    _check_positive("dense_cost", in_features=in_features, out_features=out_features)
    return Cost(parameters=(in_features + bias) * out_features, macs=in_features * out_features)


def _weights(
    in_channels: int, out_channels: int, kernel_size: Sequence[int], positions: Sequence[int], groups: int, who: str
) -> tuple[int, int]:
    """Weights of one kernel bank, and the number of positions."""
    kernel = sizes_of(kernel_size, who, "kernel_size")
    sites = per_axis(positions, len(kernel), who, "positions")
    _check_positive(who, in_channels=in_channels, out_channels=out_channels, groups=groups)
    for name, count in (("in_channels", in_channels), ("out_channels", out_channels)):
        if count % groups:
            raise ShapeError(
                f"{who}: {name} {count} in {groups} groups gives {count}/{groups}, expected a whole number."
            )
    return prod(kernel) * in_channels // groups * out_channels, prod(sites)


def _check_positive(who: str, **counts: int) -> None:
    for name, count in counts.items():
        if not is_integer(count) or count < 1:
            raise OptionError(f"{who}: {name} is {count!r}, expected an integer of at least 1.")
