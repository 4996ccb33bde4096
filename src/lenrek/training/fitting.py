"""The epochs of a run: train, look at validation, keep the best, save everything, go on; or go on from a checkpoint."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from lenrek.errors import DataError, OptionError
from lenrek.optimization.memory import keep_memory
from lenrek.training import processes
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
from lenrek.training.task import Task
from lenrek.training.wording import percent


def merit(row: dict[str, Any], config: TrainConfig) -> tuple[float, float]:
    """What the best row of metrics has most of."""
    if "validation_loss" not in row:  # nothing to choose on: the last one
        return row["epoch"], 0.0
    accuracy = "validation_accuracy" if config.balance == "none" else "validation_balanced_accuracy"
    return row[accuracy], -row["validation_loss"]


def validation_columns(validation: Evaluation) -> dict[str, Any]:
    """What a row of metrics says about validation samples."""
    return {
        "validation_loss": validation.loss,
        "validation_accuracy": validation.accuracy,
        "validation_balanced_accuracy": validation.balanced_accuracy,
    }


def origin_of(config: TrainConfig, data_fingerprint: str, start: str | None) -> dict[str, Any]:
    """What a model comes from, as its header says it."""
    return {"config": config.to_json(), "data_fingerprint": data_fingerprint, "start": start}


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

    word = "epoch"

    def __init__(
        self,
        config: TrainConfig,
        task: Task,
        folder: RunFolder,
        data_fingerprint: str,
        resume: bool,
    ) -> None:
        self.config, self.task, self.folder, self.data_fingerprint = config, task, folder, data_fingerprint
        self.history: list[dict[str, Any]] = []
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.batch_size = whole_batch(config.batch_size, task.balance.num_samples)
        self.network = task.network.to(self.device)
        if self.batch_size == 1 and any(isinstance(module, _BatchNorm) for module in self.network.modules()):
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
        self.optimizer = make_optimizer(self.network, config, task.depths)
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
                lambda: choose_precision(wanted, self.network, self.task.contract, share, self.device)
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
        if progress["start"] != self.task.start:
            raise DataError(
                f"train: the weights {self.config.start} have changed since {self.folder.path} was started.\n"
                "  Hint: start a new run with another --out."
            )
        return Precision(**progress["precision"])

    @property
    def rounds(self) -> int:
        """Epochs at most."""
        return self.config.epochs

    def conclusion(self) -> list[str]:
        """What is to be said after the last epoch."""
        said, done, best = [], len(self.history), self.best["epoch"]
        if done < self.config.epochs:
            said.append(f"Stopped early: none of the last {done - best} epochs was better.")
        if (before := self.task.baseline) is not None:
            trained = max(self.history, key=lambda row: merit(row, self.config))
            said.append(
                f"Kept: {'all layers trained' if best else 'the head on frozen features'}, as on validation "
                f"{percent(trained['validation_accuracy'])} (loss {trained['validation_loss']:.3f}) with all layers "
                f"trained stands against {percent(before['validation_accuracy'])} (loss "
                f"{before['validation_loss']:.3f}) with frozen ones."
            )
        return said

    @property
    def steps_per_epoch(self) -> int:
        return self.task.balance.num_samples // self.batch_size

    @property
    def kept(self) -> nn.Module:
        """The weights that are evaluated and kept: the running average where one is asked for."""
        return self.network if self.average is None else self.average.network

    @property
    def best(self) -> dict[str, Any]:
        """The row of the best epoch so far: highest validation accuracy, then lowest validation loss.

        Where the training is balanced, so is the accuracy: the mean of the classes' own.
        """
        before = [] if self.task.baseline is None else [self.task.baseline]
        return max([*before, *self.history], key=lambda row: merit(row, self.config))

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
        step = Step(wrapped, self.task.contract, self.device)
        trained = train_epoch(
            step, self.task.samples, self.task.balance, number, self.config, self.task.augmenter, self.optimizer,
            self.network, self.average, watcher,
        )  # fmt: skip
        validated = validation_columns(processes.from_first(self._validate)) if len(self.task.split.validation) else {}
        return {"epoch": number + 1, **trained, **validated, "time_s": time.perf_counter() - start}

    def _validate(self) -> Evaluation:
        step = Step(self._fast_kept, self.task.contract, self.device)
        found, labels, _ = posteriors(step, self.task.samples, self.task.split.validation)
        return evaluate_posteriors(found, labels, self.task.contract.classes)

    def _out_of_patience(self) -> bool:
        patience = self.config.patience
        return bool(self.history) and patience is not None and len(self.history) - self.best["epoch"] >= patience

    def _save(self) -> None:
        """The checkpoint last: a crash before it repeats the epoch and writes the same model and metrics again."""
        origin = origin_of(self.config, self.data_fingerprint, self.task.start)
        if self.best is self.history[-1]:
            self.task.save(self.folder.model, self.kept, {"training": origin | {"epoch": len(self.history)}})
        self.folder.write_metrics(self.history)
        progress = origin | {"history": self.history, "precision": asdict(self.precision)}
        save_checkpoint(self.folder.checkpoint, self.network, self.average, self.optimizer, progress)
