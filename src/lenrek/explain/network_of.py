"""The network that is explained: the one behind a model, and what its input means."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lenrek.errors import ModelError
from lenrek.models.contract import InputContract
from lenrek.optimization.module import Optimized


def plain_network(model: Any, who: str) -> nn.Module:
    """The module to look into: of a `lenrek.Classifier` its network, of an optimised or compiled network the plain one
    that it shares its weights with, so that every layer runs where a hook sees it.

    Raises:
        ModelError: there is none with layers that can be watched.
    Example:
        >>> from lenrek.optimization.module import optimize
        >>> fast = optimize(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()))
        >>> isinstance(fast, Optimized), isinstance(plain_network(fast, "example"), Optimized)
        (True, False)
    """
    network = model if isinstance(model, nn.Module) else getattr(model, "network", None)
    if not isinstance(network, nn.Module):
        raise ModelError(
            f"{who}: model is a {type(model).__name__}, expected a torch.nn.Module or a lenrek.Classifier."
        )
    network = getattr(network, "_orig_mod", network)  # of torch.compile
    if isinstance(network, torch.jit.ScriptModule):
        raise ModelError(
            f"{who}: model is a {type(network).__name__}, whose layers cannot be looked into.\n"
            "  Hint: pass the network that it was made from."
        )
    return network.plain() if isinstance(network, Optimized) else network


def contract_of(model: Any) -> InputContract | None:
    """What the network's input means, where it or the classifier around it tells."""
    found = (getattr(one, "contract", None) for one in (model, getattr(model, "network", None)))
    return next((contract for contract in found if isinstance(contract, InputContract)), None)
