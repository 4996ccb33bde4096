"""The optimiser of a configuration, with weight decay only where it means something."""

from __future__ import annotations

import torch
from torch import nn

from lenrek.training.config import TrainConfig


def parameter_groups(network: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Two groups: kernels and matrices with decay; biases, norms and other vectors without."""
    trainable = [p for p in network.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trainable if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trainable if p.ndim <= 1], "weight_decay": 0.0},
    ]


def make_optimizer(network: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW or Nesterov SGD in PyTorch's fused form."""
    groups = [group for group in parameter_groups(network, config.decay) if group["params"]]
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=config.peak_learning_rate, fused=True)
    momentum = 0.9 if config.momentum is None else config.momentum
    return torch.optim.SGD(groups, lr=config.peak_learning_rate, momentum=momentum, nesterov=momentum > 0, fused=True)
