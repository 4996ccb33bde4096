"""One epoch of training, and one look at held-out samples."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from lenrek.data.augmentation.augmenter import Augmenter
from lenrek.data.normalise import normalise
from lenrek.data.samples import Samples
from lenrek.errors import DataError, OptionError
from lenrek.models.contract import InputContract
from lenrek.training import objective, processes
from lenrek.training.config import TrainConfig
from lenrek.training.ema import AveragedWeights
from lenrek.training.schedule import rate_factor

SEED_STRIDE = 1_000_003  # a prime: seeds of neighbouring runs, epochs and processes stay apart
EVALUATION_BATCH = 256
EVALUATION_VALUES = 1 << 22  # at the network's input: a batch of large images stays small in memory


class Watcher(Protocol):
    """Whoever wants to see the training go on; the console's `Progress` is one."""

    def batch(self, done: int, loss: float, accuracy: float, samples_per_s: float) -> None: ...
    def epoch(self, row: dict[str, Any]) -> None: ...


@dataclass
class Step:
    """What one process needs to run a batch through the network.

    Attributes:
        network: takes normalised samples, gives class scores, both in float32 (see `Precision.fast`).
    """

    network: nn.Module
    contract: InputContract
    device: torch.device

    def logits(self, x: Tensor) -> Tensor:
        """Class scores (batch, classes) in float32 of raw samples (batch, channels, *size)."""
        # Samples from memory and from files lie differently in memory. PyTorch's layers go by that, even where one
        # channel makes it the same: read in the order of their axes, the same samples round alike.
        x = x.reshape(-1).view(x.shape)
        return self.network(normalise(x.to(self.device), self.contract))


def epoch_order(indices: np.ndarray, seed: int, epoch: int) -> np.ndarray:
    """The order in which the training samples come in this epoch."""
    return np.random.default_rng((seed, epoch)).permutation(indices)


def whole_batch(batch_size: int, num_samples: int) -> int:
    """Samples per step of all processes: `batch_size`, or where there are fewer, as many as can be shared equally.

    Raises:
        DataError: not one sample for each process.
    """
    num_processes = processes.world_size()
    if num_samples < num_processes:
        raise DataError(f"train: {num_samples} training samples cannot be shared by {num_processes} processes.")
    return min(batch_size, num_samples // num_processes * num_processes)


def train_epoch(
    step: Step,
    samples: Samples,
    indices: np.ndarray,
    epoch: int,
    config: TrainConfig,
    augmenter: Augmenter,
    optimizer: torch.optim.Optimizer,
    network: nn.Module,
    average: AveragedWeights | None,
    watcher: Watcher,
) -> dict[str, float]:
    """Train on every whole batch of `indices` once (`epoch` counts from 0); the epoch's part of the metrics row.

    `step.network` is run, which several processes wrap; `network` is what it wraps, whose weights `average` follows.

    Raises:
        OptionError: the loss is no longer a finite number.
    """
    torch.manual_seed(config.seed + SEED_STRIDE * (epoch + 1) + processes.rank())
    batch_size = whole_batch(config.batch_size, len(indices))
    order, share = processes.my_share(epoch_order(indices, config.seed, epoch), batch_size)
    steps = len(order) // share
    step.network.train()
    start = time.perf_counter()
    losses, right, seen, rate = 0.0, 0.0, 0, 0.0
    for number, batch in enumerate(samples.batches(order, share)):
        rate = config.peak_learning_rate * rate_factor(config.schedule, epoch * steps + number, config.epochs * steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        x = augmenter.apply(batch, epoch)
        loss, num_right = _optimize(step, x, batch.labels.to(step.device), config, optimizer)
        if not math.isfinite(loss):
            raise OptionError(
                f"train: the loss became {loss} in epoch {epoch + 1}, step {number + 1} of {steps}.\n"
                f"  Hint: lower the learning rate (now {config.peak_learning_rate}), or pass --clip-norm 1."
            )
        if average is not None:
            average.update(network, epoch * steps + number)
        losses, right, seen = losses + loss * len(x), right + num_right, seen + len(x)
        speed = seen * processes.world_size() / (time.perf_counter() - start)
        watcher.batch(number + 1, losses / seen, right / seen, speed)
    time_s = time.perf_counter() - start
    losses, right, count = processes.summed([losses, right, float(seen)], step.device)
    return {
        "train_loss": losses / count,
        "train_accuracy": right / count,
        "learning_rate": rate,
        "samples_per_s": count / time_s,
    }


def _optimize(
    step: Step, x: Tensor, labels: Tensor, config: TrainConfig, optimizer: torch.optim.Optimizer
) -> tuple[float, float]:
    """One step of the optimiser; the batch's mean loss and number of right answers."""
    logits = step.logits(x)
    loss = objective.loss(logits, labels, config.label_smoothing)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    if config.clip_norm is not None:
        nn.utils.clip_grad_norm_(step.network.parameters(), config.clip_norm)
    optimizer.step()
    return loss.item(), objective.num_right(logits, labels)


@torch.inference_mode()
def posteriors(step: Step, samples: Samples, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Class probabilities (n, classes) float64, labels and indices of those of `indices` that can be read."""
    step.network.eval()
    values = step.contract.channels * math.prod(step.contract.size)
    batches = samples.batches(indices, min(EVALUATION_BATCH, max(1, EVALUATION_VALUES // values)))
    seen = [(objective.posteriors(step.logits(b.x)).cpu().numpy(), b.labels.numpy(), b.index) for b in batches]
    if not seen:
        num_classes = len(step.contract.classes)
        return np.empty((0, num_classes)), np.empty(0, np.int64), np.empty(0, np.int64)
    parts = list(zip(*seen, strict=True))
    return np.concatenate(parts[0]), np.concatenate(parts[1]), np.concatenate(parts[2])
