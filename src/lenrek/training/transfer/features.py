"""What a frozen network computes of the samples: once per sample and view, kept on disk for the next run."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from lenrek.data.augmentation.augmenter import Augmenter
from lenrek.data.cache import cache_folder
from lenrek.data.samples import Samples
from lenrek.errors import CheckpointError
from lenrek.models.contract import InputContract
from lenrek.models.tensor_file import read_tensors, write_tensors
from lenrek.training.engine import EngineStep
from lenrek.training.transfer.solve import Features
from lenrek.training.transfer.start import digest

BATCH = 32
BUDGET_S = 60.0  # of all views, where their number is not given
MOST_VIEWS = 8
MOST_CACHED_BYTES = 1 << 29  # of one view: more would fill disks for little


@dataclass
class FeatureMaker:
    """Runs samples through a frozen network.

    Args:
        body: the frozen network: features of normalised samples.
        data: a digest of the data's contents.
        say: told what was computed, and what was found damaged.
    Attributes:
        asked: views of parts that were asked for.
        cached: those that were read from the disk instead.
    """

    body: nn.Module
    samples: Samples
    labels: np.ndarray
    contract: InputContract
    device: torch.device
    augmenter: Augmenter
    data: str
    say: Callable[[str], None]
    asked: int = field(default=0, init=False)
    cached: int = field(default=0, init=False)
    _step: EngineStep | None = field(default=None, init=False)

    def plain(self, index: np.ndarray) -> Features:
        """Features of the samples as they are, without those that cannot be read."""
        return self._view(index, 0)

    def views(self, index: np.ndarray, number: int | None) -> list[Features]:
        """Features of the samples as they are and of `number` − 1 augmented views of each.

        Args:
            number: None: as many as take about a minute here, 8 at most; 1 where nothing is augmented.
        """
        start = time.perf_counter()
        views = [self._view(index, 0)]
        if self.augmenter.policy.is_nothing:
            return views
        while len(views) < (number or MOST_VIEWS):
            spent_s = time.perf_counter() - start
            if number is None and spent_s / len(views) * (len(views) + 1) > BUDGET_S:
                break
            views.append(self._view(index, len(views)))
        return views

    def _view(self, index: np.ndarray, view: int) -> Features:
        """View 0 is the sample itself."""
        self.asked += 1
        file = cache_folder() / "features" / f"{self._key(index, view)}.safetensors"
        if file.exists():
            try:
                tensors, _ = read_tensors(file)
                self.cached += 1
                kept = tensors["index"].numpy()
                return Features(tensors["x"].numpy(), self.labels[kept], kept)
            except (CheckpointError, KeyError) as error:
                self.say(f"Cached features are computed anew: {str(error).splitlines()[0]}")
        x, kept = self._computed(index, view)
        if x.nbytes <= MOST_CACHED_BYTES:
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                write_tensors(file, {"x": torch.from_numpy(x), "index": torch.from_numpy(kept)}, {})
            except (OSError, CheckpointError) as error:  # no reason not to train
                self.say(f"Features are not kept: {str(error).splitlines()[0]}")
        return Features(x, self.labels[kept], kept)

    @torch.inference_mode()
    def _computed(self, index: np.ndarray, view: int) -> tuple[np.ndarray, np.ndarray]:
        if self._step is None:
            expected = len(index) * (1 if self.augmenter.policy.is_nothing else MOST_VIEWS)
            self._step = EngineStep(self.body.eval(), self.contract, self.device, expected)
        computed, kept = [], []
        for batch in self.samples.batches(index, BATCH):
            x = self.augmenter.apply(batch, view, np.zeros(len(batch.index), np.int64)) if view else batch.x
            computed.append(self._step.logits(x).float().cpu().numpy())
            kept.append(batch.index)
        return np.concatenate(computed), np.concatenate(kept)

    def _key(self, index: np.ndarray, view: int) -> str:
        """Everything that the features depend on."""
        policy = [str(self.augmenter.policy), self.augmenter.seed] if view else []
        told = [digest(self.body.state_dict()), str(self.body), self.contract.to_json(), self.data, view, policy]
        sha256 = hashlib.sha256(json.dumps(told).encode())
        sha256.update(np.ascontiguousarray(index, np.int64).data)
        return sha256.hexdigest()[:40]
