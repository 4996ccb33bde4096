"""A head solved on frozen features: a layer for each strength of regularisation, the best on validation is kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from lenrek.training import processes
from lenrek.training.config import TrainConfig
from lenrek.training.evaluation import Evaluation, evaluate_posteriors
from lenrek.training.fitting import origin_of, validation_columns
from lenrek.training.loop import Watcher
from lenrek.training.precision import Precision
from lenrek.training.run_folder import RunFolder
from lenrek.training.scalars import ScalarLog
from lenrek.training.task import Task
from lenrek.training.transfer.features import FeatureMaker
from lenrek.training.transfer.folds import left_out_posteriors
from lenrek.training.transfer.solve import PATIENCE, STRENGTHS, Features, LinearLayer, solve_path

PRECISION = Precision("fp32", optimized=False, reason="fp32: features are computed once, and the head is solved")


class HeadFitting:
    """As `Fitting`, but every "epoch" is a strength of regularisation, from strong to weak.

    It is chosen on validation samples; where there are none, by cross-validation on those to train on.

    Attributes:
        network: whole, with the best layer so far in its head.
        history: a row of metrics per strength.
    """

    precision = PRECISION
    epochs_saved = 0
    word = "strength"
    rounds = len(STRENGTHS)
    steps_per_epoch = 1

    def __init__(
        self,
        config: TrainConfig,
        task: Task,
        head: str,
        maker: FeatureMaker,
        folder: RunFolder,
        data_fingerprint: str,
        say: Callable[[str], None],
    ) -> None:
        self.config, self.task, self.folder, self.data_fingerprint = config, task, folder, data_fingerprint
        self.network, self.device = task.network, maker.device
        self.layer: nn.Linear = task.network.get_submodule(head)  # type: ignore[assignment]
        self.maker, self.say = maker, say
        self.history: list[dict[str, Any]] = []

    @property
    def best(self) -> dict[str, Any]:
        """The row of the lowest loss on validation: on few samples it says more than how many are right."""
        return min(self.history, key=lambda row: row["validation_loss"])

    def conclusion(self) -> list[str]:
        """What is to be said in the end."""
        how = "on validation" if len(self.task.split.validation) else "in cross-validation"
        return [f"Head: regularised by λ = {self.best['regularisation']:g}, the best {how} of {len(self.history)}."]

    def run(self, watcher: Watcher, tensorboard: bool) -> None:
        """Solve for every strength until weaker ones no longer help; keep the best."""
        with ScalarLog(self.folder.path if tensorboard and processes.is_first() else None) as scalars:
            for row in self.solve():
                if not processes.is_first():  # all solve the same; one writes
                    continue
                watcher.epoch(row)
                scalars.add(row)
                self.folder.write_metrics(self.history)
                if row["best"]:
                    origin = origin_of(self.config, self.data_fingerprint, self.task.start)
                    self.task.save(self.folder.model, self.network, {"training": origin | {"epoch": row["epoch"]}})

    def solve(self) -> Iterator[dict[str, Any]]:
        """Each row of metrics as it is found; the layer is in the network's head when it is the best."""
        start = time.perf_counter()
        views = self.maker.views(self.task.split.train, self.config.views)
        train = Features.joined(views)
        is_left_out = len(self.task.split.validation) == 0
        validation = views[0] if is_left_out else self.maker.plain(self.task.split.validation)
        self.say(self._describe(train, len(views), time.perf_counter() - start))
        start, classes = time.perf_counter(), self.task.contract.classes
        weights = self.task.balance.class_weights
        left_out = left_out_posteriors(train, len(classes), self.config.seed, weights) if is_left_out else None
        for layer in solve_path(train, len(classes), weights):
            posteriors = layer.posteriors(validation.x) if left_out is None else next(left_out)[: len(views[0].labels)]
            row = self._row(layer, train, evaluate_posteriors(posteriors, validation.labels, classes))
            row["time_s"] = time.perf_counter() - start
            self.history.append(row)
            row["best"] = self.best is row
            if row["best"]:
                self._put(layer)
            yield row
            if len(self.history) - self.best["epoch"] >= PATIENCE:
                return
            start = time.perf_counter()

    def _describe(self, train: Features, views: int, time_s: float) -> str:
        each = f"{views} views of each sample" if views > 1 else "each sample"
        cached = f", {self.maker.cached} of {self.maker.asked} parts from the cache" if self.maker.cached else ""
        return f"Features: {train.x.shape[1]:,} numbers from {each}, in {time_s:.1f} s{cached}."

    def _row(self, layer: LinearLayer, train: Features, validation: Evaluation) -> dict[str, Any]:
        here = evaluate_posteriors(layer.posteriors(train.x), train.labels, self.task.contract.classes)
        return {
            "epoch": len(self.history) + 1,
            "train_loss": here.loss,
            "train_accuracy": here.accuracy,
            "regularisation": layer.strength,
            **validation_columns(validation),
        }

    @torch.no_grad()
    def _put(self, layer: LinearLayer) -> None:
        self.layer.weight.copy_(torch.from_numpy(layer.weight))
        self.layer.bias.copy_(torch.from_numpy(layer.bias))
