"""A trained network with its contract: predicts files and arrays, and is evaluated on labelled data."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from lenrek.data.augmentation.policy import Policy
from lenrek.data.load import load_samples
from lenrek.data.open import open_source
from lenrek.data.shown import few
from lenrek.data.source import NDIM, Problem, Source
from lenrek.data.split import split_source
from lenrek.data.unlabelled import unlabelled_source
from lenrek.errors import DataError, OptionError
from lenrek.models.contract import InputContract
from lenrek.models.model_file import load_model
from lenrek.training.config import TrainConfig
from lenrek.training.engine import EngineStep
from lenrek.training.evaluation import Evaluation, evaluate_posteriors
from lenrek.training.loop import posteriors
from lenrek.training.plan import data_fingerprint
from lenrek.training.test_time import Averaging, AveragingStep, ViewsTaken, plan_averaging

if TYPE_CHECKING:
    from lenrek.training.export import Exported

PARTS = ("train", "validation", "test", "all")
Inputs = str | Path | npt.ArrayLike | Iterable[str | Path]


@dataclass(frozen=True)
class Prediction:
    """What the network says about one sample.

    Attributes:
        name: the file, or "array[3]".
        label: the most probable class.
        confidence: its posterior probability.
        posterior: of every class, in the order of the contract's classes.
    """

    name: str
    label: str
    confidence: float
    posterior: dict[str, float]

    def top(self, count: int) -> list[tuple[str, float]]:
        """The `count` most probable classes with their probabilities."""
        return sorted(self.posterior.items(), key=lambda pair: -pair[1])[:count]


@dataclass(frozen=True, eq=False)
class Answers:
    """What a network says of labelled samples.

    Attributes:
        index: (n,), which samples of the source.
        labels: (n,), their classes, in the order of the network's.
        posteriors: (n, classes).
    """

    index: np.ndarray
    labels: np.ndarray
    posteriors: np.ndarray


@dataclass
class Classifier:
    """A network and what is needed to use it.

    Attributes:
        network: in evaluation mode.
        contract: its input and classes.
        architecture: its registered name.
        training: the configuration and data fingerprint it was trained with; empty for weights from elsewhere.
        problems: files that could not be read in the last `predict` or `evaluate`.
        engine: what computed the last `predict` or `evaluate`, and why: PyTorch, or for so many samples that it paid
            off the fastest engine installed.
        views: what test-time augmentation did in the last `predict` or `evaluate`; None where it was not asked for.
    """

    network: nn.Module
    contract: InputContract
    architecture: str
    training: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    engine: str = field(default="", init=False)
    views: ViewsTaken | None = field(default=None, init=False)

    def predict(
        self,
        inputs: Inputs,
        *,
        strict: bool = False,
        tta: int | None = None,
        tta_policy: str | Policy | None = None,
        tta_below: float | None = None,
    ) -> list[Prediction]:
        """One prediction per readable sample, in the order given.

        Args:
            inputs: a file, a folder, several of them, or an array `(n, channels, *size)`, `(n, *size)` or
                `(n, *size, channels)` of any real dtype, or what NumPy makes one of (a list, a tensor).
            strict: raise at the first file that cannot be read, instead of leaving it out (see `problems`).
            tta: test-time augmentation: posteriors are means over so many views of each sample, the first of which is
                the sample as it is. What the views are: `lenrek.data.augmentation.views.find_views`.
            tta_policy: which views there are; None: those of the policy that the network was trained with.
            tta_below: only for samples whose confidence as they are is below this; None: for all.

        Raises:
            DataError: nothing there, or nothing readable.
            ShapeError: an array with other channels than the network takes.
            OptionError: there are not so many views, or options have no effect.
        """
        averaging = plan_averaging(self.contract, self._trained_with, tta, tta_policy, tta_below)
        source = unlabelled_source(inputs, self.contract)
        found, _, index, _ = self._posteriors(source, np.arange(len(source)), strict, averaging)
        names, classes = source.names, self.contract.classes
        return [
            Prediction(names[i], classes[p.argmax()], float(p.max()), dict(zip(classes, p.tolist(), strict=True)))
            for i, p in zip(index, found, strict=True)
        ]

    def evaluate(
        self,
        data: Any,
        *,
        part: str | None = None,
        strict: bool = False,
        tta: int | None = None,
        tta_policy: str | Policy | None = None,
        tta_below: float | None = None,
    ) -> Evaluation:
        """Accuracy and more on labelled data, in fp32, as in the run's own report (where another engine than PyTorch is
        faster, see `engine`, but for its rounding).

        Args:
            data: anything `lenrek.train` takes, or a source, with classes this network knows.
            part: "train", "validation", "test" or "all". None: the test part of the data the network was trained on, or
                where other data names one, otherwise all of it.
            tta, tta_policy, tta_below: test-time augmentation, as for `predict`. The figures without it, and what it
                cost, are then in `views`.

        Raises:
            DataError: nothing readable, classes the network does not know, or another kind of data.
            OptionError: a part that the data does not have, or that can no longer be told because the data has changed;
                views as for `predict`.
        """
        averaging = plan_averaging(self.contract, self._trained_with, tta, tta_policy, tta_below)
        found, labels, _, plain = self._answers(data, part, strict, averaging)
        if self.views is not None:
            self.views = self.views.compared(plain, found, labels, self.contract.classes)
        return evaluate_posteriors(found, labels, self.contract.classes)

    def answers(self, data: Any, *, part: str | None = None, strict: bool = False) -> Answers:
        """What `evaluate` judges: the posterior of every sample that can be read, beside its label.

        Args, Raises: as `evaluate`.
        """
        found, labels, index, _ = self._answers(data, part, strict, None)
        return Answers(index, labels, found)

    def export(self, path: str | Path, format: str = "onnx") -> Exported:
        """Write the network as a file that ONNX Runtime, OpenVINO or PyTorch runs without lenrek, from samples as they
        are stored to posteriors; see `lenrek.training.export.export_classifier`.
        """
        from lenrek.training.export import export_classifier

        return export_classifier(self, path, format)

    @property
    def _trained_with(self) -> str | None:
        """The policy of the training, where that is known."""
        return self.training.get("config", {}).get("augment")

    def _answers(
        self, data: Any, part: str | None, strict: bool, averaging: Averaging | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        if part not in (None, *PARTS):
            raise OptionError(f"evaluate: part is {part!r}, but must be one of {', '.join(PARTS)}.")
        source = data if isinstance(data, Source) else open_source(data, strict=strict)
        indices = self._part(source, part, data)
        return self._posteriors(self._with_my_classes(source), indices, strict, averaging)

    def _posteriors(
        self, source: Source, indices: np.ndarray, strict: bool, averaging: Averaging | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Posteriors, labels, indices and the posteriors without other views, of the samples that can be read."""
        samples = load_samples(source, self.contract, indices=indices, mode="stream", strict=strict)
        device = next(self.network.parameters()).device
        step = EngineStep(self.network, self.contract, device, len(indices))
        if averaging is not None:
            step = AveragingStep(self.network, self.contract, device, len(indices), averaging=averaging)
        start = time.perf_counter()
        found, labels, index = posteriors(step, samples, indices)
        total_s = time.perf_counter() - start
        self.engine = step.reason
        self.problems = source.problems
        self.views = None
        if not len(index):
            reasons = "\n".join(f"  {p.message}" for p in self.problems[:3])
            raise DataError(f"none of the {len(indices)} samples could be read:\n{reasons}")
        if not isinstance(step, AveragingStep):
            return found, labels, index, found
        self.views = step.taken(total_s)
        return found, labels, index, np.concatenate(step.plain)

    def _with_my_classes(self, source: Source) -> Source:
        """`source` with its labels numbered as this network numbers them."""
        if NDIM[source.kind] != len(self.contract.size):
            raise DataError(
                f"evaluate: {source.name} holds {source.kind}s, which are {NDIM[source.kind]}-D, but this network was "
                f"trained on {len(self.contract.size)}-D data."
            )
        unknown = [name for name in source.classes if name not in self.contract.classes]
        if unknown:
            raise DataError(
                f"evaluate: {source.name} has classes this network was not trained on: {few(unknown)}.\n"
                f"  It knows: {', '.join(self.contract.classes[:10])}."
            )
        renumber = np.array([self.contract.classes.index(name) for name in source.classes])
        return replace(source, labels=renumber[source.labels], classes=self.contract.classes)

    def _part(self, source: Source, part: str | None, data: Any) -> np.ndarray:
        everything = np.arange(len(source))
        if part == "all":
            return everything
        if self.training.get("data_fingerprint") == data_fingerprint(source):
            config = TrainConfig.from_json(self.training["config"])
            split = split_source(
                source, seed=config.seed, validation=config.validation, test=config.test, grouped=config.grouped
            )
            return getattr(split, part or "test")
        if source.split is not None and (source.split == (part or "test")).any():
            return np.flatnonzero(source.split == (part or "test"))
        if isinstance(data, str | Path) and str(data) == self.training.get("config", {}).get("data"):
            raise OptionError(
                f"evaluate: {source.name} has changed since this network was trained on it, so which of its samples "
                "were trained on can no longer be told.\n"
                "  Hint: name data it has not seen; part='all' takes everything, training samples included."
            )
        if part is None:
            return everything
        raise OptionError(
            f"evaluate: {source.name} is not the data this network was trained on, so it has no {part} part.\n"
            "  Hint: leave the part out to evaluate all of it."
        )


def load(path: str | Path, network: nn.Module | None = None) -> Classifier:
    """A trained classifier from a run's folder or a `.safetensors` model file.

    Args:
        network: what the training began with, where that was a module of the user's own; a copy is filled.

    Raises:
        CheckpointError: missing, cut short, altered, or not a lenrek model.
    """
    network, header = load_model(path, network)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    contract: InputContract = network.contract  # type: ignore[assignment]
    return Classifier(network.to(device), contract, header["architecture"], header.get("training", {}))
