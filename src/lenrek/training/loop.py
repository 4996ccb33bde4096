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
from lenrek.data.samples import Batch, Samples
from lenrek.errors import DataError, OptionError
from lenrek.models.contract import InputContract
from lenrek.training import objective, processes
from lenrek.training.balance import ClassBalance
from lenrek.training.config import TrainConfig
from lenrek.training.ema import AveragedWeights
from lenrek.training.mixing import Mixer
from lenrek.training.objective import Targets
from lenrek.training.order import EpochPlan, plan_epoch
from lenrek.training.rates import LAYER_DECAY, is_unfrozen
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
        return self.network(self.normalised(x))

    def posteriors(self, x: Tensor) -> np.ndarray:
        """Class probabilities (batch, classes) in float64 of raw samples."""
        return objective.posteriors(self.logits(x)).cpu().numpy()

    def normalised(self, x: Tensor) -> Tensor:
        """Raw samples as the network takes them, in a memory of their own."""
        # Samples from memory and from files lie differently in memory. PyTorch's layers go by that, even where one
        # channel makes it the same: read in the order of their axes, the same samples round alike.
        x = x.reshape(-1).view(x.shape)
        return normalise(x.to(self.device), self.contract)


def depth_factor(depth: int, optimizer: torch.optim.Optimizer, epoch: int, config: TrainConfig) -> float:
    """How much of the rate a block gets that lies `depth` blocks below the new head."""
    if depth == 0:
        return 1.0
    deepest = max(group["depth"] for group in optimizer.param_groups)
    if not is_unfrozen(depth, deepest, epoch, config.unfreeze):
        return 0.0
    return (LAYER_DECAY if config.layer_decay is None else config.layer_decay) ** depth


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
    balance: ClassBalance,
    epoch: int,
    config: TrainConfig,
    augmenter: Augmenter,
    optimizer: torch.optim.Optimizer,
    network: nn.Module,
    average: AveragedWeights | None,
    watcher: Watcher,
) -> dict[str, float]:
    """Train on every whole batch of an epoch's order (`epoch` counts from 0); the epoch's part of the metrics row.

    `step.network` is run, which several processes wrap; `network` is what it wraps, whose weights `average` follows.
    The loss is the one that is minimised: of mixed labels, weighted, smoothed, where that is asked for.

    Raises:
        OptionError: the loss is no longer a finite number.
    """
    torch.manual_seed(config.seed + SEED_STRIDE * (epoch + 1) + processes.rank())
    order = balance.order(epoch)
    mixer = Mixer.of(config)
    plan = plan_epoch(order, whole_batch(config.batch_size, len(order)), mixed=mixer is not None)
    weights = balance.class_weights
    class_weights = None if weights is None else torch.from_numpy(weights).to(step.device, torch.float32)
    step.network.train()
    start = time.perf_counter()
    losses, right, seen, rate = 0.0, 0.0, 0, 0.0
    for batch in samples.batches(plan.order, plan.loaded):
        number = plan.step(batch)
        done = epoch * plan.steps + number
        rate = config.peak_learning_rate * rate_factor(config.schedule, done, config.epochs * plan.steps)
        for group in optimizer.param_groups:
            group["lr"] = rate * depth_factor(group["depth"], optimizer, epoch, config)
        x, targets = _given(step, batch, epoch, plan, augmenter, mixer)
        loss, num_right = _optimize(step, x, targets, class_weights, config, optimizer)
        if not math.isfinite(loss):
            raise OptionError(
                f"train: the loss became {loss} in epoch {epoch + 1}, step {number + 1} of {plan.steps}.\n"
                f"  Hint: lower the learning rate (now {config.peak_learning_rate}), or pass --clip-norm 1."
            )
        if average is not None:
            average.update(network, done)
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


def _given(
    step: Step, batch: Batch, epoch: int, plan: EpochPlan, augmenter: Augmenter, mixer: Mixer | None
) -> tuple[Tensor, Targets]:
    """What the network is given of a batch: augmented, normalised and mixed; and what that shows."""
    x = step.normalised(augmenter.apply(batch, epoch, plan.copy[batch.place]))
    labels = batch.labels.to(step.device)
    if mixer is None:
        return x, Targets(labels)
    own, other = plan.pairs(batch)
    return mixer.mix(x, labels, own, other, epoch, plan.step(batch))


def _optimize(
    step: Step,
    x: Tensor,
    targets: Targets,
    class_weights: Tensor | None,
    config: TrainConfig,
    optimizer: torch.optim.Optimizer,
) -> tuple[float, float]:
    """One step of the optimiser; the batch's mean loss and number of right answers."""
    logits = step.network(x)
    loss = objective.loss(logits, targets, config.label_smoothing, class_weights)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    if config.clip_norm is not None:
        nn.utils.clip_grad_norm_(step.network.parameters(), config.clip_norm)
    optimizer.step()
    return loss.item(), objective.num_right(logits, targets)


@torch.inference_mode()
def posteriors(step: Step, samples: Samples, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Class probabilities (n, classes) float64, labels and indices of those of `indices` that can be read."""
    step.network.eval()
    values = step.contract.channels * math.prod(step.contract.size)
    batches = samples.batches(indices, min(EVALUATION_BATCH, max(1, EVALUATION_VALUES // values)))
    seen = [(step.posteriors(b.x), b.labels.numpy(), b.index) for b in batches]
    if not seen:
        num_classes = len(step.contract.classes)
        return np.empty((0, num_classes)), np.empty(0, np.int64), np.empty(0, np.int64)
    parts = list(zip(*seen, strict=True))
    return np.concatenate(parts[0]), np.concatenate(parts[1]), np.concatenate(parts[2])
