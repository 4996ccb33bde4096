"""The inputs for which a network is explained: sizes are enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lenrek.errors import ShapeError
from lenrek.geometry.axes import is_integer

InputSize = Sequence[int] | Sequence[Sequence[int]]


def inputs_of(
    model: nn.Module, input_size: InputSize | Tensor | Sequence[Tensor] | None, batch_size: int = 1, *, who: str
) -> list[Tensor]:
    """Tensors without values (meta device), as `model` would be given.

    Args:
        input_size: (channels, *size) of one sample; for several inputs one such tuple each. Or the example tensors
            themselves, batch included, where an input is of another type than the parameters. By default the model's
            `contract`, if it has one.
        batch_size: samples.
        who: the public function that asks, for its error messages.
    Raises:
        ShapeError: no size is known, or one that is none.
    Example:
        >>> [tuple(x.shape) for x in inputs_of(nn.Conv2d(3, 8, 3), (3, 8, 8), 4, who="summary")]
        [(4, 3, 8, 8)]
    """
    if isinstance(input_size, Tensor):
        return [_sized(input_size)]
    if input_size is None:
        contract: Any = getattr(model, "contract", None)
        if contract is None:
            raise ShapeError(
                f"{who}: input_size is missing, and {type(model).__name__} does not tell its own.\n"
                "  Hint: pass (channels, *size) of one sample, such as (3, 224, 224)."
            )
        input_size = (contract.channels, *contract.size)
    if input_size and all(isinstance(one, Tensor) for one in input_size):
        return [_sized(one) for one in input_size if isinstance(one, Tensor)]
    sizes: Any = [input_size] if not input_size or is_integer(input_size[0]) else input_size
    for size in sizes:
        if not isinstance(size, Sequence) or not size or not all(is_integer(n) and n >= 1 for n in size):
            raise ShapeError(
                f"{who}: input_size is {input_size!r}, expected (channels, *size) of one sample, each at least 1, "
                "or one such tuple for each input."
            )
    if not is_integer(batch_size) or batch_size < 1:
        raise ShapeError(f"{who}: batch_size is {batch_size!r}, expected an integer of at least 1.")
    floating = (parameter.dtype for parameter in model.parameters() if parameter.is_floating_point())
    dtype = next(floating, torch.float32)
    return [torch.empty(batch_size, *size, dtype=dtype, device="meta") for size in sizes]


def _sized(example: Tensor) -> Tensor:
    return torch.empty_strided(example.shape, example.stride(), dtype=example.dtype, device="meta")
