"""From stored samples to what a network sees: scaled, minus the mean, over the standard deviation."""

from __future__ import annotations

import torch
from torch import Tensor

from lenrek.errors import ShapeError
from lenrek.models.contract import InputContract

# The stored value that becomes 1.
FULL_SCALE = {torch.uint8: 255.0, torch.int16: 32768.0, torch.float32: 1.0}


def normalise(x: Tensor, contract: InputContract) -> Tensor:
    """(x / full scale − mean) / std per channel, as x · factor + shift in the memory of the result.

    Args:
        x: (batch, channels, *size), uint8 (full scale 255), int16 (32768) or float32 (1).
    Returns:
        float32, same shape and device; never `x` itself.
    Raises:
        ShapeError: channels or dtype are not what the contract knows.
    Example:
        >>> contract = InputContract(1, (2,), (0.5,), (0.25,), ("a", "b"))
        >>> normalise(torch.tensor([[[0, 255]]], dtype=torch.uint8), contract)
        tensor([[[-2.,  2.]]])
    """
    if x.ndim != len(contract.size) + 2 or x.shape[1] != contract.channels:
        raise ShapeError(
            f"normalise: x is {tuple(x.shape)}, but the network expects {contract.channels} channels and "
            f"1 + 1 + {len(contract.size)} = {len(contract.size) + 2} axes (batch, channels, *size)."
        )
    if x.dtype not in FULL_SCALE:
        known = ", ".join(str(dtype).removeprefix("torch.") for dtype in FULL_SCALE)
        raise ShapeError(f"normalise: x is {str(x.dtype).removeprefix('torch.')}, but one of {known} is expected.")
    # Computed in float64, so that the one multiplication and addition per value are all that rounds.
    mean, std = torch.tensor([contract.mean, contract.std], dtype=torch.float64)
    shape = (-1, *(1 for _ in contract.size))
    factor = (1 / (std * FULL_SCALE[x.dtype])).reshape(shape).to(x.device, torch.float32)
    shift = (-mean / std).reshape(shape).to(x.device, torch.float32)
    return x.to(torch.float32, copy=True).mul_(factor).add_(shift)
