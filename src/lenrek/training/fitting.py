"""The epochs of a run: train, look at validation, keep the best, save everything, go on; or go on from a checkpoint."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from lenrek.data.augmentation.augmenter import Augmenter, SampleOthers
from lenrek.data.augmentation.policy import Policy
from lenrek.data.samples import Samples
from lenrek.data.split import Split
from lenrek.errors import DataError, OptionError
from lenrek.models.contract import InputContract
from lenrek.models.create import create_model
from lenrek.models.model_file import save_model
from lenrek.optimization.memory import keep_memory
from lenrek.training import processes
from lenrek.training.balance import ClassBalance
from lenrek.training.checkpoint import read_checkpoint, restore, save_checkpoint
from lenrek.training.config import TrainConfig
from lenrek.training.ema import AveragedWeights
from lenrek.training.evaluation import Evaluation, evaluate_posteriors
from lenrek.training.global_batch_norm import share_statistics
from lenrek.training.loop import Step, Watcher, posteriors, train_epoch, whole_batch
from lenrek.training.optimizer import make_optimizer
from lenrek.training.precision import Precision, choose_precision
from lenrek.training.run_folder import RunFolder
from lenrek.training.scalars import ScalarLog


class Fitting:
    """A network in training, with everything that its next epoch depends on.

    Attributes:
        network: the weights being trained (not wrapped for several processes).
        fast: what a step runs: `network` as `precision` runs it, with the same weights.
        batch_size: samples per step, over all processes together.
        history: one row of metrics per finished epoch.
        epochs_saved: how many of them can be resumed after; only the first process saves.
        precision: how its steps are run; part of the checkpoint, so that a resumed run goes on in the same way.
    """

    def __init__(
        self,
        config: TrainConfig,
        contract: InputContract,
        samples: Samples,
        split: Split,
        balance: ClassBalance,
        folder: RunFolder,
        data_fingerprint: str,
        resume: bool,
    ) -> None:
        self.config, self.contract, self.samples, self.split, self.folder = config, contract, samples, split, folder
        self.balance, self.data_fingerprint = balance, data_fingerprint
        others = SampleOthers(samples, split.train)
        self.augmenter = Augmenter(Policy.parse(config.augment), contract.classes, config.seed, others)
        self.history: list[dict[str, Any]] = []
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.batch_size = whole_batch(config.batch_size, balance.num_samples)
        torch.manual_seed(config.seed)
        network = create_model(config.model, len(contract.classes), contract.channels, len(contract.size))
        self.network = network.to(self.device)
        if self.batch_size == 1 and any(isinstance(module, _BatchNorm) for module in network.modules()):
            raise OptionError(
                f"train: {config.model} has batch normalisation, which needs at least 2 samples per step, but gets 1.\n"
                "  Hint: pass --batch-size 2 or more, or a --model without."
            )
        if self.device.type == "cpu":
            keep_memory()  # PyTorch's own layers gain by it, too
        saved = read_checkpoint(folder.checkpoint) if resume and folder.checkpoint.exists() else None
        self.precision = self._precision(None if saved is None else saved[1])
        share_statistics(self.network)
        self.fast = self.precision.fast(self.network)  # before the optimiser has a memory: that lies as the weights do
        self.optimizer = make_optimizer(self.network, config)
        self.average = None if config.ema is None else AveragedWeights(self.network, config.ema)
        self._fast_kept = self.precision.fast(self.kept)
        if saved is not None:
            restore(saved[0], self.network, self.average, self.optimizer)
            self.history = saved[1]["history"]
        self.epochs_saved = len(self.history)

    def _precision(self, progress: dict[str, Any] | None) -> Precision:
        """The checkpoint's, after making sure that it is a checkpoint of this very run; otherwise chosen now."""
        if progress is None:
            wanted, share = self.config.precision, self.batch_size // processes.world_size()
            return processes.from_first(
                lambda: choose_precision(wanted, self.network, self.contract, share, self.device)
            )
        differences = TrainConfig.from_json(progress["config"]).differences(self.config)
        if differences:
            raise OptionError(
                f"train: {self.folder.path} was started with other options, so it cannot be resumed with these:\n"
                + "".join(f"  {line}\n" for line in differences)
                + "  Hint: repeat the original command and add --resume, or start a new run with another --out."
            )
        if progress["data_fingerprint"] != self.data_fingerprint:
            raise DataError(
                f"train: the data of {self.folder.path} has changed since that run was started "
                "(names, labels or sizes differ).\n  Hint: start a new run with another --out."
            )
        return Precision(**progress["precision"])

    @property
    def steps_per_epoch(self) -> int:
        return self.balance.num_samples // self.batch_size

    @property
    def kept(self) -> nn.Module:
        """The weights that are evaluated and kept: the running average where one is asked for."""
        return self.network if self.average is None else self.average.network

    @property
    def best(self) -> dict[str, Any]:
        """The row of the best epoch so far: highest validation accuracy, then lowest validation loss.

        Where the training is balanced, so is the accuracy: the mean of the classes' own.
        """
        accuracy = "validation_accuracy" if self.config.balance == "none" else "validation_balanced_accuracy"
        return max(self.history, key=lambda row: (row[accuracy], -row["validation_loss"]))

    def run(self, watcher: Watcher, tensorboard: bool) -> None:
        """Train until the last epoch, or until patience runs out."""
        wrapped = self.fast if processes.world_size() == 1 else DistributedDataParallel(self.fast)
        with ScalarLog(self.folder.path if tensorboard and processes.is_first() else None) as scalars:
            while len(self.history) < self.config.epochs and not self._out_of_patience():
                row = self._epoch(wrapped, watcher)
                self.history.append(row)
                row["best"] = self.best is row
                if processes.is_first():
                    self._save()
                    self.epochs_saved = len(self.history)
                    scalars.add(row)
                    watcher.epoch(row)
                processes.wait_for_all()

    def _epoch(self, wrapped: nn.Module, watcher: Watcher) -> dict[str, Any]:
        start, number = time.perf_counter(), len(self.history)
        step = Step(wrapped, self.contract, self.device)
        trained = train_epoch(
            step, self.samples, self.balance, number, self.config, self.augmenter, self.optimizer,
            self.network, self.average, watcher,
        )  # fmt: skip
        validation = processes.from_first(self._validate)
        return {
            "epoch": number + 1,
            **trained,
            "validation_loss": validation.loss,
            "validation_accuracy": validation.accuracy,
            "validation_balanced_accuracy": validation.balanced_accuracy,
            "time_s": time.perf_counter() - start,
        }

    def _validate(self) -> Evaluation:
        step = Step(self._fast_kept, self.contract, self.device)
        found, labels, _ = posteriors(step, self.samples, self.split.validation)
        return evaluate_posteriors(found, labels, self.contract.classes)

    def _out_of_patience(self) -> bool:
        patience = self.config.patience
        return bool(self.history) and patience is not None and len(self.history) - self.best["epoch"] >= patience

    def _save(self) -> None:
        """The checkpoint last: a crash before it repeats the epoch and writes the same model and metrics again."""
        origin = {"config": self.config.to_json(), "data_fingerprint": self.data_fingerprint}
        if self.best is self.history[-1]:
            about = {"training": origin | {"epoch": len(self.history)}}
            save_model(self.folder.model, self.kept, self.config.model, self.contract, about)
        self.folder.write_metrics(self.history)
        progress = origin | {"history": self.history, "precision": asdict(self.precision)}
        save_checkpoint(self.folder.checkpoint, self.network, self.average, self.optimizer, progress)
