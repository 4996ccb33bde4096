"""The network behind a model, and its scores, with the network left as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from lenrek.errors import LenrekError, ModelError, OptionError, ShapeError
from lenrek.explain.layer_outputs import as_samples
from lenrek.explain.network_of import network_of
from lenrek.ops.mode import in_mode
from lenrek.optimization.module import Optimized


def plain_network(model: Any, who: str) -> nn.Module:
    """The module to look into: of a classifier its network, of an optimised or compiled network the plain one that it
    shares its weights with, so that every layer runs where a hook sees it.

    Raises:
        ModelError: there is none with layers that can be watched.
    Example:
        >>> from lenrek.optimization.module import optimize
        >>> fast = optimize(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()))
        >>> isinstance(fast, Optimized), isinstance(plain_network(fast, "example"), Optimized)
        (True, False)
    """
    network = network_of(model, who)
    network = getattr(network, "_orig_mod", network)  # of torch.compile
    if isinstance(network, torch.jit.ScriptModule):
        raise ModelError(
            f"{who}: model is a {type(network).__name__}, whose layers cannot be looked into.\n"
            "  Hint: pass the network that it was made from."
        )
    return network.plain() if isinstance(network, Optimized) else network


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
    try:
        output = network(x)
    except LenrekError:
        raise
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ShapeError(f"{who}: the network does not take an input of shape {tuple(x.shape)}: {reason}") from error
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
