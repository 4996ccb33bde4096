"""What a synthesised input is to make large: a channel, a direction in a layer's space, a class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lenrek.errors import OptionError

WHO = "synthesize"


@dataclass(frozen=True, eq=False)
class Objective:
    """A number for each sample, computed of one layer's output (batch, channels, *size).

    Attributes:
        name: in words.
        layer: its path, with "#2" behind it its second run; "" is the network's output.
        index: of the channel, or None where `vector` weighs them.
        vector: (channels,), of unit length.
        position: of one feature; None is the mean over all.
    """

    name: str
    layer: str
    index: int | None = None
    vector: np.ndarray | None = None
    position: tuple[int, ...] | None = None

    def __call__(self, output: Tensor) -> Tensor:
        """(batch,) of the layer's output.

        Raises:
            OptionError: the layer has no such channel, or no such position.
        """
        channels, size = output.shape[1], tuple(output.shape[2:])
        if self.vector is not None:
            if len(self.vector) != channels:
                raise OptionError(
                    f"{WHO}: the vector of {self.name} has {len(self.vector)} numbers, expected one for each of the "
                    f"layer's {channels} channels."
                )
            weights = torch.from_numpy(self.vector).to(output)
            seen = torch.tensordot(output, weights, dims=([1], [0]))
        else:
            assert self.index is not None
            if not 0 <= self.index < channels:
                raise OptionError(f"{WHO}: {self.name} is asked for, but the layer has channels 0 to {channels - 1}.")
            seen = output[:, self.index]
        if self.position is None:
            return seen.reshape(len(seen), -1).mean(1)
        if len(self.position) != len(size) or not all(0 <= at < n for at, n in zip(self.position, size, strict=True)):
            raise OptionError(f"{WHO}: position is {self.position}, expected one below {size}, the layer's map.")
        return seen[(slice(None), *self.position)]


def channel(layer: str, index: int, position: Sequence[int] | None = None) -> Objective:
    """The mean of a channel over all its positions, or one feature of it.

    >>> channel("features.3", 7).name
    'channel 7 of features.3'
    """
    at = "" if position is None else f" at {tuple(position)}"
    name = f"channel {index} of {layer or 'the output'}{at}"
    return Objective(name, layer, index=index, position=None if position is None else tuple(position))


def direction(layer: str, vector: Any, position: Sequence[int] | None = None) -> Objective:
    """The part of a layer's output along `vector` (channels,), which is brought to unit length: a mixture of channels,
    a concept, the difference between two classes' mean features.

    Raises:
        OptionError: a vector that is zero, not finite, or has other than one axis.
    Example:
        >>> direction("features.3", [3.0, 4.0]).vector.tolist()
        [0.6, 0.8]
    """
    given = np.asarray(vector, np.float64)
    length = float(np.linalg.norm(given)) if given.ndim == 1 else 0.0
    if not np.isfinite(length) or not length:
        raise OptionError(
            f"{WHO}: vector is of shape {given.shape} and length {length:g}, expected (channels,), finite and not zero."
        )
    name = f"a direction of {layer or 'the output'}"
    return Objective(name, layer, vector=given / length, position=None if position is None else tuple(position))


def class_logit(index: int) -> Objective:
    """The network's output for a class, before the softmax: the posterior could also be raised by lowering all others.

    >>> class_logit(3).name
    'class 3'
    """
    return Objective(f"class {index}", "", index=index)
