"""DistributedDataParallel around an optimised module: two processes get the gradients of one that sees both batches."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.multiprocessing as processes
from networks import Branches, Checkpointed, Shared
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from lenrek.optimization.module import optimize

WORLD = 2
NETWORKS = {"branches": Branches, "shared": Shared, "checkpointed": Checkpointed}


def network_and_batch(name: str) -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(3)
    net = NETWORKS[name]()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()  # its statistics would be those of each process's own half
    return net, torch.randn(2 * WORLD, 3, 12, 11)


def loss_of(y: torch.Tensor) -> torch.Tensor:
    return (y * torch.arange(y.shape[1]).cos()).square().sum(1).mean()


def work(rank: int, name: str, folder: str) -> None:
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=WORLD)
    net, x = network_and_batch(name)
    wrapped = DistributedDataParallel(optimize(net, torch.float32, keep_memory_mapped=False))
    for _ in range(2):  # buckets are rebuilt after the first step
        wrapped.zero_grad()
        loss_of(wrapped(x.chunk(WORLD)[rank])).backward()
    torch.save([parameter.grad for parameter in net.parameters()], f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


@pytest.mark.parametrize("name", NETWORKS)
def test_two_processes(name: str, tmp_path: Path) -> None:
    processes.spawn(work, (name, str(tmp_path)), nprocs=WORLD)
    net, x = network_and_batch(name)
    loss_of(net(x)).backward()
    for rank in range(WORLD):
        found = torch.load(tmp_path / f"{rank}.pt")
        for ours, parameter in zip(found, net.parameters(), strict=True):
            torch.testing.assert_close(ours, parameter.grad, rtol=1e-4, atol=1e-6)
