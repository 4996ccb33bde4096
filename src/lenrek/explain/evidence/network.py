"""A network's scores, with the network left as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from lenrek.errors import ModelError, OptionError
from lenrek.explain.layer_outputs import as_samples, run_network
from lenrek.ops.mode import in_mode


@contextmanager
def looked_into(network: nn.Module) -> Iterator[None]:
    """In evaluation mode and with gradients allowed, also within `torch.inference_mode`; afterwards as before."""
    with torch.inference_mode(False), torch.enable_grad(), in_mode(network, training=False):
        yield


def samples_for(network: nn.Module, x: Any, who: str) -> Tensor:
    """A copy of `x` (batch, channels, *size), on the network's device and of its type.

    Raises:
        ShapeError, OptionError: as `as_samples`.
    """
    checked = as_samples(x, who)
    held = next((p for p in network.parameters() if p.is_floating_point()), checked)
    given = x.detach() if isinstance(x, Tensor) and x.dtype == torch.float64 else checked
    return torch.empty_like(given, dtype=held.dtype, device=held.device).copy_(given)


def scores_of(network: nn.Module, x: Tensor, who: str) -> Tensor:
    """The network's output, (batch, classes), in float32 or wider.

    Raises:
        ShapeError: the network does not take such samples.
        ModelError: it returns something else, or numbers that are not finite.
    """
    output = run_network(network, x, who)
    if not isinstance(output, Tensor) or output.ndim != 2 or len(output) != len(x):
        found = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else f"type {type(output).__name__}"
        raise ModelError(
            f"{who}: the network's output is of {found}, expected ({len(x)}, classes): a score of each class for "
            f"{len(x)} samples.\n  Hint: wrap it in a module that returns these."
        )
    if not bool(output.detach().isfinite().all()):
        raise ModelError(f"{who}: the network's scores are not finite: are its weights?")
    return output.to(torch.promote_types(output.dtype, torch.float32))


def check_count(name: str, given: Any, who: str, least: int = 1) -> None:
    """Raise `OptionError` for what is no whole number of at least `least`."""
    if isinstance(given, bool) or not isinstance(given, int) or given < least:
        raise OptionError(f"{who}: {name} is {given!r}, expected a whole number of at least {least}.")
