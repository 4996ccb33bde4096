"""What every architecture is held to, whatever it computes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lenrek.models.registry import ARCHITECTURES


def count_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def check_trains(name: str, size: tuple[int, ...]) -> None:
    """Two steps' worth of evidence: logits of the right shape, and a finite gradient that is not zero everywhere."""
    torch.manual_seed(0)
    network = ARCHITECTURES[name].build(5, 2, len(size))
    logits = network(torch.randn(3, 2, *size))
    assert logits.shape == (3, 5)
    nn.functional.cross_entropy(logits, torch.tensor([4, 0, 2])).backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
        assert parameter.grad.any(), key


def check_minimum(name: str, ndim: int) -> None:
    """A batch of two trains at `min_size` on every axis; one sample less on any axis does not."""
    smallest = ARCHITECTURES[name].min_size
    network = ARCHITECTURES[name].build(5, 2, ndim)
    assert network(torch.randn(2, 2, *[smallest] * ndim)).isfinite().all()
    for axis in range(ndim):
        size = [smallest] * ndim
        size[axis] -= 1
        with pytest.raises((RuntimeError, ValueError), match=r"[Ss]ize|[Pp]ooling|empty|elements"):
            network(torch.randn(2, 2, *size))


def randomize_norms(network: nn.Module) -> None:
    """Statistics, scales and shifts of every batch norm away from 0 and 1, where a mistake would not show."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
            module.running_mean.normal_(std=0.2)
            module.running_var.uniform_(0.5, 1.5)


def normalized(x: torch.Tensor, weights: dict[str, torch.Tensor], key: str) -> torch.Tensor:
    """Batch norm in evaluation, written out: (x − mean) / √(var + 1e−5) · scale + shift."""
    mean, var, scale, shift = (
        weights[f"{key}.{name}"].reshape(-1, *[1] * (x.ndim - 2))
        for name in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (var + 1e-5).sqrt() * scale + shift
