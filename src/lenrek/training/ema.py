"""A running average of a network's weights, which is what gets evaluated and kept when asked for."""

from __future__ import annotations

import copy

import torch
from torch import nn


class AveragedWeights:
    """Exponential moving average of parameters and buffers.

    The decay grows as (1 + t) / (10 + t) up to its value, so that the average is not dominated by the random start.
    Integer buffers (batch counters) are copied.

    Attributes:
        network: a copy of the original that holds the averages.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.network = copy.deepcopy(network).requires_grad_(False)

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move the averages towards `network` after step number `step` (0-based)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        current = network.state_dict()
        for name, average in self.network.state_dict().items():
            if average.is_floating_point():
                average.lerp_(current[name], 1 - decay)
            else:
                average.copy_(current[name])
