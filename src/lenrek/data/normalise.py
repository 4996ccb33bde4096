"""From stored samples to what a network sees: scaled, minus the mean, over the standard deviation."""

from __future__ import annotations

import torch
from torch import Tensor

from lenrek.errors import DataError, ShapeError
from lenrek.models.contract import InputContract

# The stored value that becomes 1.
FULL_SCALE = {torch.uint8: 255, torch.int16: 32768, torch.float32: 1}


def normalise(x: Tensor, contract: InputContract) -> Tensor:
    """(x / full scale − mean) / std per channel, as x · factor + shift in the memory of the result.

    Args:
        x: (batch, channels, *size), uint8 (full scale 255), int16 (32768) or float32 (1). Whole numbers for a network
            that was trained on floats beyond −1…1 are taken as they are.
    Returns:
        float32, same shape and device; never `x` itself.
    Raises:
        ShapeError: channels or dtype are not what the contract knows.
        DataError: floats beyond −1…1 for a network that was trained on scaled whole numbers.
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
    factor = (1 / (std * _full_scale(x, contract))).reshape(shape).to(x.device, torch.float32)
    shift = (-mean / std).reshape(shape).to(x.device, torch.float32)
    return x.to(torch.float32, copy=True).mul_(factor).add_(shift)


def _full_scale(x: Tensor, contract: InputContract) -> int:
    """What `x` is divided by, so that its numbers mean what they meant in training."""
    if not x.is_floating_point():
        trained_beyond_one = any(abs(m) > 1 or s > 1 for m, s in zip(contract.mean, contract.std, strict=True))
        return 1 if contract.full_scale == 1 and trained_beyond_one else FULL_SCALE[x.dtype]
    if contract.full_scale != 1 and x.numel() and (largest := x.abs().max().item()) > 1:
        raise DataError(
            f"the samples are float32 with values up to {largest:g}, but this network was trained on whole numbers "
            f"divided by {contract.full_scale}, so that floats must lie within −1…1.\n"
            f"  Hint: divide them by {contract.full_scale}, or pass whole numbers."
        )
    return 1
