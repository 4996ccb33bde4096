"""Samples in their own units: images from 0 to 1, signals from −1 to 1, before normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lenrek.errors import OptionError, ShapeError
from lenrek.explain.network_of import contract_of
from lenrek.models.contract import InputContract

RANGES = {255: (0.0, 1.0), 32768: (-1.0, 1.0)}  # by the stored value that became 1


@dataclass(frozen=True)
class Units:
    """Between a sample as the network takes it, and in its own units.

    Attributes:
        mean, std: (channels, 1, …).
        low, high: what a sample can be; infinite where the network was trained on floats as they came.
    """

    mean: Tensor
    std: Tensor
    low: float
    high: float

    def own(self, x: Tensor) -> Tensor:
        """From normalised to own units, float32 or wider."""
        return x.to(self.mean.dtype) * self.std + self.mean

    def normalised(self, own: Tensor) -> Tensor:
        return (own - self.mean) / self.std


def units_of(model: Any, contract: InputContract | None, x: Tensor, who: str) -> Units:
    """By the model's contract, or one that is given.

    Raises:
        OptionError: neither is known.
        ShapeError: samples with other channels.
    Example:
        >>> contract = InputContract(1, (2,), (0.5,), (0.25,), ("a", "b"))
        >>> units_of(None, contract, torch.zeros(1, 1, 2), "example").own(torch.tensor([[[-2.0, 2.0]]]))
        tensor([[[0., 1.]]])
    """
    known = contract or contract_of(model)
    if known is None:
        raise OptionError(
            f"{who}: {type(model).__name__} does not tell how its input was normalised, so that the size of a change "
            "has no unit.\n  Hint: pass contract=lenrek.InputContract(channels, size, mean, std, classes)."
        )
    if known.channels != x.shape[1]:
        raise ShapeError(
            f"{who}: x is {tuple(x.shape)} = (batch, channels, *size), but the contract is for {known.channels} "
            "channels."
        )
    wide = torch.promote_types(x.dtype, torch.float32)
    mean, std = (
        torch.tensor(one, dtype=wide, device=x.device).reshape(-1, *[1] * (x.ndim - 2))
        for one in (known.mean, known.std)
    )
    low, high = RANGES.get(known.full_scale, (-torch.inf, torch.inf))
    return Units(mean, std, low, high)
