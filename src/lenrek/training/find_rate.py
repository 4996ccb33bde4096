"""The learning-rate finder: train for a moment at rates from tiny to far too large, and see where the loss falls."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from lenrek.data.augmentation.augmenter import Augmenter, SampleOthers
from lenrek.data.augmentation.policy import Policy
from lenrek.data.samples import Batch
from lenrek.errors import OptionError
from lenrek.training.config import TrainConfig
from lenrek.training.loop import Step, depth_factor, whole_batch
from lenrek.training.objective import Targets, loss
from lenrek.training.optimizer import make_optimizer
from lenrek.training.order import epoch_order
from lenrek.training.precision import Precision
from lenrek.training.preparation import PreparedData, prepare
from lenrek.training.rates import depths
from lenrek.training.transfer.start import Start, configured, make_start

STEPS = 100
RANGE = {"adamw": (1e-6, 1.0), "sgd": (1e-4, 100.0)}
SMOOTHING = 0.9  # share of the running mean of the loss that each step keeps
DIVERGED = 3.0  # times the lowest loss so far


@dataclass(frozen=True)
class RateSearch:
    """What was tried.

    Attributes:
        rates: of each step.
        losses: smoothed; at the last one training had diverged, or the rates were at their end.
        suggestion: the rate at which the loss fell fastest, per factor of the rate: a good peak for a one-cycle
            schedule.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    suggestion: float

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict."""
        return {"suggestion": self.suggestion, "rates": list(self.rates), "losses": list(self.losses)}


def find_learning_rate(
    data: str | Path | tuple[np.ndarray, np.ndarray],
    model: str | None = None,
    *,
    start: str | Path | nn.Module | None = None,
    steps: int = STEPS,
    **options: Any,
) -> RateSearch:
    """Train on the training part for at most `steps` steps, at rates that grow evenly on a logarithmic scale.

    Nothing is kept. Of a network to `start` with, all layers are trained, as `lenrek.train` does.

    Args:
        data, model, start: as `lenrek.train` takes them.
        steps: at least 10.
        options: fields of `TrainConfig`, such as batch_size, optimizer, augment, size.
    Raises:
        LenrekError: what does not work together, as in `lenrek.train`.
    Source: Smith 2017, arXiv:1506.01186, §3.3.
    Example:
        >>> found = find_learning_rate("digits", steps=40)
        >>> 1e-5 < found.suggestion < 0.1
        True
    """
    if steps < 10:
        raise OptionError(f"find_learning_rate: steps is {steps}, but must be at least 10.")
    config, pretrained = configured(data, model, start, options)
    if config.freeze != "none":
        raise OptionError(
            f"find_learning_rate: freeze {config.freeze} has no effect: all layers are trained.\n  Hint: leave it out."
        )
    prepared = prepare(data, config, lambda sentence: None, None if pretrained is None else pretrained.contract)
    begun = make_start(config, prepared.contract, pretrained)
    lowest, highest = RANGE[config.optimizer]
    rates = np.geomspace(lowest, highest, steps).tolist()
    losses = list(_losses(config, prepared, begun, rates))
    return RateSearch(tuple(rates[: len(losses)]), tuple(losses), _steepest(rates, losses))


def _losses(config: TrainConfig, prepared: PreparedData, begun: Start, rates: list[float]) -> Iterator[float]:
    """The smoothed loss after each step, until it is far above the lowest."""
    network, contract = begun.network, prepared.contract
    step = Step(Precision("fp32", True, "").fast(network), contract, torch.device("cpu"))
    optimizer = make_optimizer(network, config, None if begun.head is None else depths(network, begun.head))
    others = SampleOthers(prepared.samples, prepared.split.train)
    augmenter = Augmenter(Policy.parse(config.augment), contract.classes, config.seed, others)
    step.network.train()
    mean, lowest = 0.0, math.inf
    for number, ((epoch, batch), rate) in enumerate(zip(_batches(config, prepared), rates, strict=False)):
        for group in optimizer.param_groups:
            group["lr"] = rate * depth_factor(group["depth"], optimizer, epoch, config)
        x = step.normalised(augmenter.apply(batch, epoch))
        value = loss(step.network(x), Targets(batch.labels), config.label_smoothing)
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        optimizer.step()
        mean = SMOOTHING * mean + (1 - SMOOTHING) * value.item()
        smoothed = mean / (1 - SMOOTHING ** (number + 1))
        if not math.isfinite(smoothed):
            return
        yield smoothed
        lowest = min(lowest, smoothed)
        if number > 10 and smoothed > DIVERGED * lowest:
            return


def _batches(config: TrainConfig, prepared: PreparedData) -> Iterator[tuple[int, Batch]]:
    """Whole batches of the training part, epoch after epoch without end."""
    size, epoch = whole_batch(config.batch_size, len(prepared.split.train)), 0
    while True:
        order = epoch_order(prepared.split.train, config.seed, epoch)
        for batch in prepared.samples.batches(order[: len(order) // size * size], size):
            yield epoch, batch
        epoch += 1


def _steepest(rates: list[float], losses: list[float]) -> float:
    """Where the loss fell most between neighbours, before it was lowest; the first tenth, hardly smoothed, left out."""
    first, lowest = len(rates) // 10, int(np.argmin(losses))
    falls = [after - before for before, after in pairwise(losses[first : lowest + 1])]
    steepest = first + int(np.argmin(falls)) if falls else lowest
    return float(f"{rates[steepest]:.2g}")
