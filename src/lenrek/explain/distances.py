"""Distance between features against distance between pixels: which of them follows the classes?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from markupsafe import Markup
from torch import Tensor, nn

from lenrek.data.shown import counted
from lenrek.drawing.plot import Curve, line_plot
from lenrek.errors import DataError, ModelError, OptionError
from lenrek.explain.layer_outputs import LayerOutputs, as_samples
from lenrek.explain.neighbours import METRICS, Following, follow_labels

WHO = "compare_distances"
INPUT = "input"


@dataclass(frozen=True)
class DistanceRow(Following):
    """What one distance is worth.

    Attributes:
        where: between what: "input" (the samples as the network takes them: pixels), a layer's name for its outputs,
            or "before NAME" for what goes into it.
        metric: "euclidean" or "cosine".
        features: numbers per sample.
    """

    where: str
    metric: str
    features: int


@dataclass(frozen=True)
class DistanceComparison:
    """Distances compared on the same labelled samples.

    Attributes:
        rows: one for each place and metric, the input first.
        samples, classes, k: how many.
        chance: what distances that know nothing reach: ROC-AUC, k-NN accuracy (the largest class's share) and mean
            average precision (the share of pairs of one class).
    """

    rows: tuple[DistanceRow, ...]
    samples: int
    classes: int
    k: int
    chance: tuple[float, float, float]

    def chart(self, metric: str = "euclidean") -> Markup:
        """The ROC curves of "same class" by one metric, as SVG."""
        curves = [Curve(row.where, row.curve, f"{row.roc_auc:.3f}") for row in self.rows if row.metric == metric]
        title = f"Share of the pairs of one class that are nearer, {metric} distance"
        return line_plot(title, "wrong pairs", curves, _share, x_written=_share)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict, without the curves."""
        names = ("roc_auc", "knn_accuracy", "mean_average_precision")
        rows = [{key: value for key, value in asdict(row).items() if key != "curve"} for row in self.rows]
        order = ("where", "metric", "features", *names)
        return {
            "samples": self.samples,
            "classes": self.classes,
            "k": self.k,
            "chance": dict(zip(names, self.chance, strict=True)),
            "rows": [{key: row[key] for key in order} for row in rows],
        }

    def __str__(self) -> str:
        lines: list[tuple[str, ...]] = [("distance between", "", "numbers", "ROC-AUC", f"{self.k}-NN", "mAP")]
        figures = [(r.roc_auc, r.knn_accuracy, r.mean_average_precision) for r in self.rows]
        lines += [
            (row.where, row.metric, f"{row.features:,}", *map("{:.3f}".format, found))
            for row, found in zip(self.rows, figures, strict=True)
        ]
        lines.append(("chance", "", "", *map("{:.3f}".format, self.chance)))
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(f"{c:<{w}}" if i < 2 else f"{c:>{w}}" for i, (c, w) in enumerate(zip(line, widths, strict=True)))
            for line in lines
        )


def compare_distances(
    model: nn.Module,
    x: Any,
    labels: Any,
    layers: Sequence[str] | None = None,
    *,
    k: int = 5,
    batch_size: int = 64,
) -> DistanceComparison:
    """How well distances between inputs, and between a network's features, tell samples of one class from others.

    Memory: 8 bytes for each number of each sample, and as many for each pair of samples.

    Args:
        model: put in evaluation mode for the time.
        x: (batch, channels, *size), as the network takes it (normalised).
        labels: (batch,), whole numbers or names.
        layers: names as in `model.named_modules()`, whose outputs are compared; by default what goes into the last
            `nn.Linear`: the last features before the classifier.
        k: neighbours that vote; each sample is classified by the others.
        batch_size: samples at once.
    Returns:
        Per place and metric ROC-AUC, k-NN accuracy and mean average precision; printed, a table.
    Raises:
        DataError: labels that do not fit the samples, of one class only, or no two alike.
        ModelError: no such layer, or no linear layer to take for the classifier.
        OptionError: k not below the number of samples.
    Example:
        >>> x = torch.tensor([[[0.0, 1.0]], [[0.1, 0.9]], [[1.0, 0.0]], [[0.9, 0.2]]])
        >>> print(compare_distances(nn.Sequential(nn.Flatten(), nn.Linear(2, 2)), x, [0, 0, 1, 1], ["0"], k=1))
        distance between             numbers  ROC-AUC   1-NN    mAP
        input             euclidean        2    1.000  1.000  1.000
        input             cosine           2    1.000  1.000  1.000
        0                 euclidean        2    1.000  1.000  1.000
        0                 cosine           2    1.000  1.000  1.000
        chance                                  0.500  0.500  0.333
    """
    samples = as_samples(x, WHO)
    numbers, counts = _numbered(labels, len(samples))
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k < len(samples):
        raise OptionError(
            f"{WHO}: k is {k!r}, but each of {counted(len(samples), 'sample')} has {len(samples)} − 1 = "
            f"{len(samples) - 1} others: 1 to {len(samples) - 1} are expected."
        )
    places = {INPUT: samples.flatten(1)} | _features(model, samples, layers, batch_size)
    rows = [
        DistanceRow(**vars(follow_labels(found.double(), numbers, distance, k)), where=where, metric=metric,
                    features=found.shape[1])
        for where, found in places.items()
        for metric, distance in METRICS.items()
    ]  # fmt: skip
    alike, pairs = (counts * (counts - 1)).sum().item(), len(samples) * (len(samples) - 1)
    chance = (0.5, counts.max().item() / len(samples), alike / pairs)
    return DistanceComparison(tuple(rows), len(samples), len(counts), k, chance)


def _features(model: nn.Module, x: Tensor, layers: Sequence[str] | None, batch_size: int) -> dict[str, Tensor]:
    """Per place the features of all samples, flattened."""
    if isinstance(layers, str):
        layers = [layers]
    asked = [_classifier(model)] if layers is None else list(layers)
    with LayerOutputs(model, asked, inputs=layers is None, who=WHO) as run:
        batches = [[found.flatten(1) for found in run(batch)[1]] for batch in x.split(batch_size)]
    names = [f"before {name}" for name in asked] if layers is None else [name or "output" for name in asked]
    return {name: torch.cat(parts) for name, parts in zip(names, zip(*batches, strict=True), strict=True)}


def _classifier(model: nn.Module) -> str:
    """The last linear layer."""
    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear) and name]
    if not linear:
        raise ModelError(
            f"{WHO}: {type(model).__name__} has no nn.Linear inside, so that its classifier cannot be told from its "
            "features.\n  Hint: name the layers to look at, as layers=['features']."
        )
    return linear[-1]


def _numbered(labels: Any, samples: int) -> tuple[Tensor, Tensor]:
    """Labels as 0 … classes − 1, and how many samples each has."""
    given = np.asarray(labels.cpu() if isinstance(labels, Tensor) else labels)
    if given.shape != (samples,):
        raise DataError(f"{WHO}: labels is {given.shape}, expected one for each of {counted(samples, 'sample')}.")
    classes, numbers, counts = np.unique(given, return_inverse=True, return_counts=True)
    if len(classes) < 2:
        raise DataError(f"{WHO}: all samples are of class {classes[0]}, expected at least 2 classes.")
    if counts.max() < 2:
        raise DataError(f"{WHO}: no two samples are of one class, so that no pair could be near for that reason.")
    return torch.from_numpy(numbers.astype(np.int64)), torch.from_numpy(counts)


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"
