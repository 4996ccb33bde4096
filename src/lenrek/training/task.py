"""What a training works on: a network, samples at its input, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from lenrek.data.augmentation.augmenter import Augmenter
from lenrek.data.samples import Samples
from lenrek.data.split import Split
from lenrek.models.contract import InputContract
from lenrek.training.balance import ClassBalance

Save = Callable[[Path, nn.Module, dict[str, Any]], None]


@dataclass(frozen=True)
class Task:
    """One training.

    Attributes:
        network: its parameters are trained.
        contract: of its input.
        split: of `samples`; the epoch is chosen on the validation part.
        save: writes the whole model for given weights of `network`, with more for the header.
        module: the user's own, from which the model is read back, where no architecture is registered.
        depths: of each parameter below a new head, see `lenrek.training.rates`; None: all fresh.
        start: SHA-256 of the weights it begins with, where these were trained before.
        frozen: names of the whole model's tensors that stay as they are.
        frozen_digest: SHA-256 of these.
        baseline: row of metrics of what `kept` was before the first epoch, where that may be the best.
    """

    network: nn.Module
    contract: InputContract
    samples: Samples
    split: Split
    balance: ClassBalance
    augmenter: Augmenter
    save: Save
    module: nn.Module | None = None
    depths: Mapping[str, int] | None = None
    start: str | None = None
    frozen: tuple[str, ...] = ()
    frozen_digest: str = ""
    baseline: dict[str, Any] | None = None
