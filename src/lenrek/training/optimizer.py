"""The optimiser of a configuration, with weight decay only where it means something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from lenrek.training.config import TrainConfig


def parameter_groups(
    network: nn.Module, weight_decay: float, depths: Mapping[str, int] | None = None
) -> list[dict[str, Any]]:
    """Kernels and matrices with decay; biases, norms and other vectors without; two groups for each `depth`.

    Args:
        depths: of each parameter below the head, see `lenrek.training.rates`; None: all at 0.
    """
    groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            groups.setdefault((depths[name] if depths else 0, parameter.ndim <= 1), []).append(parameter)
    return [
        {"params": members, "weight_decay": 0.0 if is_vector else weight_decay, "depth": depth}
        for (depth, is_vector), members in sorted(groups.items(), key=lambda pair: pair[0])
    ]


def make_optimizer(
    network: nn.Module, config: TrainConfig, depths: Mapping[str, int] | None = None
) -> torch.optim.Optimizer:
    """AdamW or Nesterov SGD in PyTorch's fused form."""
    groups = parameter_groups(network, config.decay, depths)
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=config.peak_learning_rate, fused=True)
    momentum = 0.9 if config.momentum is None else config.momentum
    return torch.optim.SGD(groups, lr=config.peak_learning_rate, momentum=momentum, nesterov=momentum > 0, fused=True)
