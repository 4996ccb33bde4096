"""The whole state of a training between two epochs, in one file, so that a resumed run goes on bit for bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lenrek.errors import CheckpointError
from lenrek.models.tensor_file import read_tensors, write_tensors
from lenrek.training.ema import AveragedWeights

CHECKPOINT_FILE = "checkpoint.safetensors"


def save_checkpoint(
    path: Path,
    network: nn.Module,
    average: AveragedWeights | None,
    optimizer: torch.optim.Optimizer,
    progress: dict[str, Any],
) -> None:
    """Weights, their average and the optimiser's memory as tensors, and `progress` (JSON) in the header.

    No random state: every epoch seeds its own from the run's seed and its number.
    """
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    if average is not None:
        tensors |= {f"average.{name}": tensor for name, tensor in average.network.state_dict().items()}
    for number, memory in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{key}": value for key, value in memory.items() if isinstance(value, Tensor)}
    write_tensors(path, tensors, {"progress": json.dumps(progress)})


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and progress of a checkpoint; `CheckpointError` where it is cut short, altered or something else."""
    tensors, metadata = read_tensors(path)
    if "progress" not in metadata:
        raise CheckpointError(
            f"resume: {path} is not a training checkpoint.\n  Hint: weights to predict with go to lenrek.load."
        )
    return tensors, json.loads(metadata["progress"])


def restore(
    tensors: dict[str, Tensor], network: nn.Module, average: AveragedWeights | None, optimizer: torch.optim.Optimizer
) -> None:
    """Put a checkpoint's tensors back where `save_checkpoint` took them from."""
    network.load_state_dict(_under("network.", tensors))
    if average is not None:
        average.network.load_state_dict(_under("average.", tensors))
    memory: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _under("optimizer.", tensors).items():
        number, _, key = name.partition(".")
        memory.setdefault(int(number), {})[key] = tensor
    optimizer.load_state_dict({"state": memory, "param_groups": optimizer.state_dict()["param_groups"]})


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
