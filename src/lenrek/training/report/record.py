"""What a report is made from: the record of one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lenrek.data.source import Kind, Problem
from lenrek.training.evaluation import Evaluation


@dataclass(frozen=True)
class Mistake:
    """A sample that was called wrong.

    Attributes:
        sample: (channels, *size), uint8, int16 or float32, as the network got it before normalisation.
        name: what the user knows it by; anything may stand in it, it is shown as text.
        label: the true class.
        posterior: (num_classes,).
    """

    sample: np.ndarray
    name: str
    label: int
    posterior: np.ndarray


@dataclass(frozen=True)
class DataSummary:
    """The data of a run.

    Attributes:
        source: name or path.
        counts: samples per split: {"train": 1257, "validation": 180, "test": 360}.
        size: samples per spatial axis at the network's input.
        problems: what was found to be wrong with the data.
        steps: what was really done to each sample on its way to the network, a sentence each, in order.
    """

    source: str
    kind: Kind
    counts: dict[str, int]
    channels: int
    size: tuple[int, ...]
    problems: Sequence[Problem] = ()
    steps: Sequence[str] = ()


@dataclass(frozen=True)
class RunRecord:
    """A run, as `write_report` wants it.

    Attributes:
        title: the page's heading: "lenet5 on mnist".
        command: the command line that repeats the run, when there was one.
        config: everything that was chosen, nested dicts allowed.
        history: a row per epoch: epoch (from 1), train_loss, train_accuracy, validation_loss, validation_accuracy,
            learning_rate, time_s, samples_per_s; what was not measured is None or missing.
        evaluations: by the name of the split, "test" and "validation" first of all.
        mistakes: the worst first, of the split that the report's headline is about.
        filters: (out_channels, in_channels, *kernel_size), the weights of the first convolution.
        parameters: how many numbers the network learned.
        time_s: wall-clock time of the training.
        best_epoch: the epoch that was kept.
    """

    title: str
    config: dict[str, Any]
    history: Sequence[dict[str, Any]]
    evaluations: dict[str, Evaluation]
    data: DataSummary
    classes: Sequence[str]
    versions: dict[str, str]
    machine: str
    parameters: int
    time_s: float
    mistakes: Sequence[Mistake] = ()
    filters: np.ndarray | None = None
    command: str | None = None
    best_epoch: int | None = None
