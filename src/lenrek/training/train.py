"""From labelled data to a trained, evaluated network in a folder: the main job, in the order it happens."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from lenrek.data.problems import sentences
from lenrek.data.shown import tell
from lenrek.training import processes
from lenrek.training.classifier import Classifier, load
from lenrek.training.config import TrainConfig
from lenrek.training.console import Progress
from lenrek.training.evaluation import Evaluation
from lenrek.training.preparation import prepare
from lenrek.training.results import write_results
from lenrek.training.run_folder import free_run_folder, wanted_run_folder
from lenrek.training.transfer.begin import begin
from lenrek.training.transfer.start import configured, make_start


@dataclass
class Run:
    """A finished training.

    Attributes:
        path: the folder that holds everything (see `RunFolder`); `lenrek.load(path)` reads the network back.
        config: what it was trained with.
        history: one row of metrics per epoch.
        evaluations: "validation", on which the best epoch was chosen, and "test", which was looked at once: of the
            network as saved, in fp32. Of several processes only the first has them.
        classifier: the best epoch's network.
    """

    path: Path
    config: TrainConfig
    history: list[dict[str, Any]]
    evaluations: dict[str, Evaluation]
    classifier: Classifier

    @property
    def evaluation(self) -> Evaluation:
        """The one to quote: on the test part."""
        return self.evaluations["test"]


class TrainingInterrupted(KeyboardInterrupt):
    """Ctrl-C during a training; `path` is the run's folder, which holds its `finished` whole epochs."""

    def __init__(self, path: Path, finished: int, epochs: int) -> None:
        super().__init__(f"interrupted after epoch {finished} of {epochs}" if finished else "interrupted in epoch 1")
        self.path, self.finished = path, finished


def train(
    data: str | Path | tuple[np.ndarray, np.ndarray],
    model: str | None = None,
    *,
    start: str | Path | nn.Module | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    progress: bool = True,
    tensorboard: bool = False,
    command: str | None = None,
    **options: Any,
) -> Run:
    """Train a network on labelled data, keep the epoch that is best on validation, evaluate it once on test.

    Args:
        data: a named set ("digits", "mnist", "fashion-mnist", "cifar10"), a folder, archive, manifest or array file
            (see `lenrek.open_source`), or a pair of arrays (x, y).
        model: a name of `lenrek.list_models()`; None: lenet5, or what the network to `start` with is.
        start: a trained network to begin with: what `lenrek.models.pretrained.load_pretrained` takes, or any module
            with one score per class, which `lenrek.load` needs again to read the run back.
        out: the run's folder; None: a new one under runs/.
        resume: continue the run in `out` from its last whole epoch, to the same result as if never interrupted.
        progress: show the training on stderr.
        tensorboard: also write TensorBoard events into the run's folder.
        command: the command line that asked for this, for the report.
        options: fields of `TrainConfig`.

    Raises:
        LenrekError: data, model or options that do not work, each with what to do instead.
        TrainingInterrupted: Ctrl-C; `resume` goes on from the last whole epoch.

    Example:
        >>> run = train("digits", epochs=2, out=getfixture("tmp_path") / "run", progress=False)
        >>> run.evaluation.num_samples
        179
    """
    config, pretrained = configured(data, model, start, options)
    with processes.joined():
        wanted = processes.from_first(lambda: wanted_run_folder(out, resume))  # refused before anything is read
        say = tell if progress and processes.is_first() else _keep_silent
        prepared = prepare(data, config, say, None if pretrained is None else pretrained.contract)
        source = prepared.source
        told = len(source.problems)
        folder = processes.from_first(  # made only now: what was refused before leaves nothing behind
            lambda: wanted.made() if wanted else free_run_folder(f"{source.name}-{config.model}")
        )
        try:
            fitting = begin(config, make_start(config, prepared.contract, pretrained), prepared, folder, resume, say)
        except BaseException:
            if processes.is_first():
                folder.remove_if_empty()
            raise
        say(f"Precision: {fitting.precision.reason}.")
        if fitting.history:
            say(f"Resumed after epoch {len(fitting.history)} of {config.epochs}.")
        elif resume:
            say(f"Nothing to resume in {folder.path}: this run starts from the beginning.")
        evaluations: dict[str, Evaluation] = {}
        try:
            with Progress(
                fitting.rounds,
                fitting.steps_per_epoch,
                word=fitting.word,
                epochs_done=len(fitting.history),
                shown=say is tell,
                balanced=not prepared.balance.is_equal,
            ) as watcher:
                fitting.run(watcher, tensorboard)
            for sentence in fitting.conclusion():
                prepared.steps.append(sentence)
                say(sentence)
            if processes.is_first():
                evaluations = write_results(fitting, prepared, command)
        except KeyboardInterrupt as interrupt:
            raise TrainingInterrupted(folder.path, fitting.epochs_saved, config.epochs) from interrupt
        finally:
            if processes.is_first():
                folder.remove_if_empty()
        for sentence in sentences(source.problems[told:]):  # files of a stream that could not be decoded
            say(sentence)
        processes.wait_for_all()
        classifier = load(folder.path, None if pretrained is None else pretrained.module)
        return Run(folder.path, config, fitting.history, evaluations, classifier)


def _keep_silent(sentence: str) -> None:
    pass
