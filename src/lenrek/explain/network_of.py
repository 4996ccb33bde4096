"""The network that is explained: a module as it is, or the one inside a classifier."""

from __future__ import annotations

from typing import Any

from torch import nn

from lenrek.errors import ModelError
from lenrek.models.contract import InputContract


def network_of(model: Any, who: str) -> nn.Module:
    """`model` itself, or the network of a `lenrek.Classifier`.

    Raises:
        ModelError: neither of them.
    Example:
        >>> network_of(nn.ReLU(), "example")
        ReLU()
    """
    network = model if isinstance(model, nn.Module) else getattr(model, "network", None)
    if not isinstance(network, nn.Module):
        raise ModelError(
            f"{who}: model is a {type(model).__name__}, expected a torch.nn.Module or a lenrek.Classifier."
        )
    return network


def contract_of(model: Any) -> InputContract | None:
    """What the network's input means, where it or the classifier around it tells."""
    found = (getattr(one, "contract", None) for one in (model, getattr(model, "network", None)))
    return next((contract for contract in found if isinstance(contract, InputContract)), None)
