"""Batch normalisation over the batch of all processes, so that two of them train what one would."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lenrek.training.processes import world_size


class _SumOverProcesses(torch.autograd.Function):
    """The sum of a tensor over all processes; so is its gradient, for each process's value reaches every sum."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


def _mean_over_processes(x: Tensor) -> Tensor:
    return _SumOverProcesses.apply(x) / world_size()


class GlobalBatchNorm(_BatchNorm):
    """Batch normalisation whose statistics are those of the batch over all processes.

    PyTorch's SyncBatchNorm is for GPUs only; with this one, two CPU processes compute what one would. Every process has
    to hold equally many samples, as `my_share` sees to.
    """

    def _check_input_dim(self, input: Tensor) -> None:  # any number of dimensions
        pass

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        axes = [0, *range(2, x.ndim)]
        values = x.to(torch.promote_types(x.dtype, torch.float32))  # float64 stays, bfloat16 is summed in float32
        mean = _mean_over_processes(values.mean(axes))
        centred = values - _per_channel(mean, x.ndim)
        variance = _mean_over_processes(centred.square().mean(axes))
        self._update_running(mean.detach(), variance.detach(), world_size() * x.numel() // x.shape[1])
        y = centred * _per_channel((variance + self.eps).rsqrt(), x.ndim)
        if self.affine:
            y = y * _per_channel(self.weight, x.ndim) + _per_channel(self.bias, x.ndim)
        return y.to(x.dtype)

    @torch.no_grad()
    def _update_running(self, mean: Tensor, variance: Tensor, count: int) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance * count / (count - 1), share)


def _per_channel(values: Tensor, ndim: int) -> Tensor:
    return values.reshape(1, -1, *[1] * (ndim - 2))


def share_statistics(network: nn.Module) -> nn.Module:
    """Let every batch norm of `network` see the whole batch; the state-dict keys stay."""
    if world_size() > 1:
        for module in network.modules():
            if isinstance(module, _BatchNorm):
                module.__class__ = GlobalBatchNorm
    return network
