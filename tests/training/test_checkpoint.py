"""Everything that the next epoch depends on goes into a checkpoint and comes back."""

from pathlib import Path

import pytest
import torch
from torch import nn

from lenrek.errors import CheckpointError
from lenrek.models.tensor_file import write_tensors
from lenrek.training.checkpoint import read_checkpoint, restore, save_checkpoint
from lenrek.training.config import TrainConfig
from lenrek.training.ema import AveragedWeights
from lenrek.training.optimizer import make_optimizer


def parts(seed: int, optimizer: str) -> tuple[nn.Module, AveragedWeights, torch.optim.Optimizer]:
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
    return network, AveragedWeights(network, 0.5), make_optimizer(network, TrainConfig("d", optimizer=optimizer))


def advance(network: nn.Module, average: AveragedWeights, optimizer: torch.optim.Optimizer, steps: int) -> None:
    x = torch.arange(24.0).reshape(6, 4).sin()
    for number in range(steps):
        optimizer.zero_grad()
        network(x * (number + 1)).square().sum().backward()
        optimizer.step()
        average.update(network, number)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_restored_parts_go_on_alike(optimizer: str, tmp_path: Path) -> None:
    original, copy = parts(1, optimizer), parts(2, optimizer)
    advance(*original, 3)
    save_checkpoint(tmp_path / "c", *original, {"history": [{"epoch": 1, "loss": 1 / 3}]})
    tensors, progress = read_checkpoint(tmp_path / "c")
    assert progress == {"history": [{"epoch": 1, "loss": 1 / 3}]}
    restore(tensors, *copy)
    for one in (original, copy):
        advance(*one, 2)
    for ours, theirs in zip(original[:2], copy[:2], strict=True):
        ours, theirs = (getattr(part, "network", part).state_dict() for part in (ours, theirs))
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_other_files_are_no_checkpoints(tmp_path: Path) -> None:
    write_tensors(tmp_path / "weights", {"a": torch.zeros(1)}, {})
    with pytest.raises(CheckpointError) as info:
        read_checkpoint(tmp_path / "weights")
    assert str(info.value) == (
        f"resume: {tmp_path}/weights is not a training checkpoint.\n  Hint: weights to predict with go to lenrek.load."
    )
