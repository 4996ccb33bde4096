"""How well a distance follows labels: ROC-AUC over pairs, nearest neighbours, retrieval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

ROWS = 256  # of the matrix of distances at once
CURVE_POINTS = 101


@dataclass(frozen=True)
class Following:
    """How well a distance follows labels; 1 is perfect everywhere.

    Attributes:
        roc_auc: the probability that two samples of one class are nearer to each other than two of different classes,
            over all pairs (and all pairs of pairs); a tie counts half.
        knn_accuracy: of the majority among the k nearest others; a tie goes to the class whose samples rank first.
        mean_average_precision: each sample asks for the others of its class in order of distance; the mean of the
            precisions at those it finds, averaged over the samples that have others. Ties are one rank.
        curve: (false positive rate, true positive rate) of "same class" at 101 rates, 0 to 1.
    """

    roc_auc: float
    knn_accuracy: float
    mean_average_precision: float
    curve: tuple[tuple[float, float], ...]


def euclidean(x: Tensor, y: Tensor) -> Tensor:
    """(rows of x, rows of y): ‖x − y‖."""
    squares = x.square().sum(1)[:, None] + y.square().sum(1) - 2 * (x @ y.T)
    return squares.clamp(min=0).sqrt()


def cosine(x: Tensor, y: Tensor) -> Tensor:
    """(rows of x, rows of y): 1 − the cosine of the angle; 1 where one of them is zero."""
    return 1 - F.normalize(x) @ F.normalize(y).T


METRICS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"euclidean": euclidean, "cosine": cosine}


def follow_labels(features: Tensor, labels: Tensor, distance: Callable[[Tensor, Tensor], Tensor], k: int) -> Following:
    """Figures of one distance, every sample compared with every other.

    Args:
        features: (samples, features), float64.
        labels: (samples,) int64, 0 … classes − 1, with at least two classes and two samples of one.
        distance: one of `METRICS`.
        k: neighbours, fewer than there are samples.
    Source: Fawcett 2006, doi:10.1016/j.patrec.2005.10.010 (ROC); Manning, Raghavan & Schütze 2008, Introduction to
        Information Retrieval, §8.4 (average precision).
    Example:
        >>> x = torch.tensor([[0.0], [1.0], [5.0], [7.0]], dtype=torch.float64)
        >>> found = follow_labels(x, torch.tensor([0, 0, 1, 1]), euclidean, k=1)
        >>> found.roc_auc, found.knn_accuracy, found.mean_average_precision
        (1.0, 1.0, 1.0)
    """
    pairs: list[tuple[Tensor, Tensor]] = []
    right, precisions = 0, []
    number = torch.arange(len(labels))
    for rows in number.split(ROWS):
        distances = distance(features[rows], features)
        same = labels[rows][:, None] == labels
        later = number > rows[:, None]  # every pair once
        pairs.append((distances[later & same], distances[later & ~same]))
        itself = number == rows[:, None]
        ordered, order = distances.masked_fill(itself, torch.inf).sort(dim=1, stable=True)
        right += int((_vote(labels[order[:, :k]]) == labels[rows]).sum())
        precisions.append(_average_precision(ordered, (same & ~itself).gather(1, order)))
    alike, apart = (torch.cat(parts).sort().values for parts in zip(*pairs, strict=True))
    averaged = torch.cat(precisions)
    return Following(
        roc_auc=_auc(alike, apart),
        knn_accuracy=right / len(labels),
        mean_average_precision=averaged[averaged.isfinite()].mean().item(),
        curve=_curve(alike, apart),
    )


def _vote(nearest: Tensor) -> Tensor:
    """The most frequent label of each row, first ranks deciding between equals."""
    classes = int(nearest.max()) + 1
    rank = torch.arange(1, nearest.shape[1] + 1, dtype=torch.float64)
    weight = 1 + 2.0 ** -rank.clamp(max=50) / 2  # together below one vote
    votes = torch.zeros(len(nearest), classes, dtype=torch.float64)
    return votes.scatter_add(1, nearest, weight.expand(nearest.shape)).argmax(1)


def _average_precision(ordered: Tensor, relevant: Tensor) -> Tensor:
    """Per row of ascending distances; NaN where nothing is relevant."""
    found = relevant.double().cumsum(1)
    last = torch.searchsorted(ordered, ordered, right=True) - 1  # of those at the same distance
    precision = found.gather(1, last) / (last + 1)
    return (precision * relevant).sum(1) / relevant.sum(1)


def _auc(alike: Tensor, apart: Tensor) -> float:
    """How often a pair of one class is nearer than one of two; both ascending."""
    nearer = (len(apart) - torch.searchsorted(apart, alike, right=True)).double()
    tied = len(apart) - torch.searchsorted(apart, alike) - nearer
    return ((nearer + tied / 2).mean() / len(apart)).item()


def _curve(alike: Tensor, apart: Tensor) -> tuple[tuple[float, float], ...]:
    rates = torch.linspace(0, 1, CURVE_POINTS, dtype=torch.float64)
    thresholds = apart[(rates * len(apart)).long().clamp(max=len(apart) - 1)]
    below = torch.searchsorted(alike, thresholds).double() / len(alike)
    below[-1] = 1.0
    return tuple(zip(rates.tolist(), below.tolist(), strict=True))
