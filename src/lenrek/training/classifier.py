"""A trained network with its contract: predicts files and arrays, and is evaluated on labelled data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

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
    """

    network: nn.Module
    contract: InputContract
    architecture: str
    training: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    engine: str = field(default="", init=False)

    def predict(self, inputs: Inputs, *, strict: bool = False) -> list[Prediction]:
        """One prediction per readable sample, in the order given.

        Args:
            inputs: a file, a folder, several of them, or an array `(n, channels, *size)`, `(n, *size)` or
                `(n, *size, channels)` of any real dtype, or what NumPy makes one of (a list, a tensor).
            strict: raise at the first file that cannot be read, instead of leaving it out (see `problems`).

        Raises:
            DataError: nothing there, or nothing readable.
            ShapeError: an array with other channels than the network takes.
        """
        source = unlabelled_source(inputs, self.contract)
        found, _, index = self._posteriors(source, np.arange(len(source)), strict)
        names, classes = source.names, self.contract.classes
        return [
            Prediction(names[i], classes[p.argmax()], float(p.max()), dict(zip(classes, p.tolist(), strict=True)))
            for i, p in zip(index, found, strict=True)
        ]

    def evaluate(self, data: Any, *, part: str | None = None, strict: bool = False) -> Evaluation:
        """Accuracy and more on labelled data, in fp32, as in the run's own report (where another engine than PyTorch is
        faster, see `engine`, but for its rounding).

        Args:
            data: anything `lenrek.train` takes, with classes this network knows.
            part: "train", "validation", "test" or "all". None: the test part of the data the network was trained on, or
                where other data names one, otherwise all of it.

        Raises:
            DataError: nothing readable, classes the network does not know, or another kind of data.
            OptionError: a part that the data does not have, or that can no longer be told because the data has changed.
        """
        if part not in (None, *PARTS):
            raise OptionError(f"evaluate: part is {part!r}, but must be one of {', '.join(PARTS)}.")
        source = open_source(data, strict=strict)
        indices = self._part(source, part, data)
        found, labels, _ = self._posteriors(self._with_my_classes(source), indices, strict)
        return evaluate_posteriors(found, labels, self.contract.classes)

    def export(self, path: str | Path, format: str = "onnx") -> Exported:
        """Write the network as a file that ONNX Runtime, OpenVINO or PyTorch runs without lenrek, from samples as they
        are stored to posteriors; see `lenrek.training.export.export_classifier`.
        """
        from lenrek.training.export import export_classifier

        return export_classifier(self, path, format)

    def _posteriors(
        self, source: Source, indices: np.ndarray, strict: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        samples = load_samples(source, self.contract, indices=indices, mode="stream", strict=strict)
        device = next(self.network.parameters()).device
        step = EngineStep(self.network, self.contract, device, len(indices))
        result = posteriors(step, samples, indices)
        self.engine = step.reason
        self.problems = source.problems
        if not len(result[2]):
            reasons = "\n".join(f"  {p.message}" for p in self.problems[:3])
            raise DataError(f"none of the {len(indices)} samples could be read:\n{reasons}")
        return result

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


def load(path: str | Path) -> Classifier:
    """A trained classifier from a run's folder or a `.safetensors` model file.

    Raises:
        CheckpointError: missing, cut short, altered, or not a lenrek model.
    """
    network, header = load_model(path)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    contract: InputContract = network.contract  # type: ignore[assignment]
    return Classifier(network.to(device), contract, header["architecture"], header.get("training", {}))
