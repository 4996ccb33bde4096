"""How good a classifier is: every figure computed from its posteriors on labelled samples, in NumPy float64."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lenrek.data.shown import counted
from lenrek.errors import CheckpointError, DataError, ShapeError
from lenrek.training.wording import percent

SUM_TOLERANCE = 1e-3
SMALLEST_POSTERIOR = float(np.finfo(np.float32).tiny)
NUM_BINS = 15


@dataclass(frozen=True)
class ClassScores:
    """One class against the rest.

    Attributes:
        precision: share of the samples called this class that are of it; 0 when none was called so.
        recall: share of the samples of this class that were called so; 0 when there are none.
        f1: harmonic mean of the two; 0 when both are 0.
        support: samples of this class.
        predicted: samples called this class.
    """

    name: str
    precision: float
    recall: float
    f1: float
    support: int
    predicted: int


@dataclass(frozen=True)
class CalibrationBin:
    """The samples whose confidence lies in (lower, upper].

    Attributes:
        confidence: mean posterior of the predicted class; 0 when the bin is empty.
        accuracy: share of them that are right; 0 when the bin is empty.
    """

    lower: float
    upper: float
    confidence: float
    accuracy: float
    count: int


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Figures of one network on one set of samples; `evaluate_posteriors` computes them.

    Attributes:
        accuracy_interval: 95 % confidence interval of the accuracy (Wilson score).
        balanced_accuracy: mean recall over the classes that have samples here.
        top_k: for each k, the share of samples whose class is among the k highest posteriors.
        per_class: in the order of the classes.
        confusion: int64 (classes, classes): rows are the truth, columns the prediction.
        loss: mean negative log-likelihood in nats.
        calibration_error: expected calibration error over `calibration_bins`.
    """

    num_samples: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    balanced_accuracy: float
    top_k: dict[int, float]
    per_class: tuple[ClassScores, ...]
    confusion: np.ndarray
    loss: float
    calibration_error: float
    calibration_bins: tuple[CalibrationBin, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(scores.name for scores in self.per_class)

    @property
    def majority_share(self) -> float:
        """Accuracy of always answering the most frequent class: what any network has to beat."""
        return max(scores.support for scores in self.per_class) / self.num_samples

    def confused_pairs(self, limit: int = 15) -> list[tuple[str, str, int]]:
        """The most frequent mistakes: (truth, prediction, how often), most frequent first."""
        mistakes = self.confusion.copy()
        np.fill_diagonal(mistakes, 0)
        order = np.argsort(-mistakes, axis=None, kind="stable")[:limit]
        pairs = zip(*np.unravel_index(order, mistakes.shape), strict=True)
        return [(self.classes[t], self.classes[p], int(mistakes[t, p])) for t, p in pairs if mistakes[t, p]]

    def sentence(self, noun: str = "sample") -> str:
        """The main figure in words.

        >>> evaluate_posteriors(np.eye(3), np.array([0, 1, 2]), "abc").sentence("test image")
        '100.0 % of 3 test images are right (95 % interval 43.9 % to 100.0 %).'
        """
        low, high = (percent(share, self.num_samples) for share in self.accuracy_interval)
        right = percent(self.accuracy, self.num_samples)
        return f"{right} of {counted(self.num_samples, noun)} are right (95 % interval {low} to {high})."

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict; `from_json` is its inverse."""
        return asdict(self) | {
            "confusion": self.confusion.tolist(),
            "top_k": {str(k): v for k, v in self.top_k.items()},
        }

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Evaluation:
        try:
            low, high = fields["accuracy_interval"]
            return cls(
                **fields
                | {
                    "accuracy_interval": (low, high),
                    "top_k": {int(k): v for k, v in fields["top_k"].items()},
                    "per_class": tuple(ClassScores(**scores) for scores in fields["per_class"]),
                    "confusion": np.asarray(fields["confusion"], dtype=np.int64),
                    "calibration_bins": tuple(CalibrationBin(**one) for one in fields["calibration_bins"]),
                }
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(
                f"Evaluation: the stored evaluation cannot be read: {type(error).__name__}: {error}."
            ) from error


def evaluate_posteriors(posteriors: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> Evaluation:
    """All figures of a classifier from its posteriors.

    The prediction is the class of the highest posterior, the first of them on a tie. The calibration error is
    Σ_b n_b/n · |accuracy_b − confidence_b| over 15 bins of equal width, each open below and closed above. The loss
    raises posteriors below 1.2e-38 (the smallest normal float32) to that, so that it stays finite.

    Args:
        posteriors: float (samples, classes); every row sums to 1.
        labels: integer (samples,), indices into `classes`.
        classes: names, one per column.
    Raises:
        ShapeError: lengths that do not agree, or no sample at all.
        DataError: posteriors that are no probabilities, labels out of range.
    Source: Wilson 1927, doi:10.1080/01621459.1927.10502953 (interval); Guo et al. 2017, arXiv:1706.04599, eq. 3
        (calibration error); Brodersen et al. 2010, doi:10.1109/ICPR.2010.764 (balanced accuracy).
    Example:
        >>> posteriors = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.7, 0.3]])
        >>> result = evaluate_posteriors(posteriors, np.array([0, 0, 1, 1]), ["cat", "dog"])
        >>> result.accuracy, result.confusion.tolist(), round(result.calibration_error, 3)
        (0.75, [[2, 0], [1, 1]], 0.35)
    """
    posteriors, labels = np.asarray(posteriors), np.asarray(labels)
    _check(posteriors, labels, classes)
    posteriors, labels = posteriors.astype(np.float64), labels.astype(np.int64)
    num_samples, num_classes = posteriors.shape
    of_truth = posteriors[np.arange(num_samples), labels]
    predicted = posteriors.argmax(axis=1)
    correct = predicted == labels
    confusion = np.bincount(labels * num_classes + predicted, minlength=num_classes**2)
    confusion = confusion.reshape(num_classes, num_classes).astype(np.int64)
    per_class = _per_class(confusion, classes)
    bins = _calibration_bins(posteriors.max(axis=1), correct)
    rank = _rank_of_truth(posteriors, labels, of_truth)
    return Evaluation(
        num_samples=num_samples,
        accuracy=float(correct.mean()),
        accuracy_interval=_wilson_interval(int(correct.sum()), num_samples),
        balanced_accuracy=float(np.mean([scores.recall for scores in per_class if scores.support])),
        top_k={k: float((rank < k).mean()) for k in (1, 3, 5) if k < num_classes},
        per_class=per_class,
        confusion=confusion,
        loss=float(-np.log(np.maximum(of_truth, SMALLEST_POSTERIOR)).mean()),
        calibration_error=sum(b.count / num_samples * abs(b.accuracy - b.confidence) for b in bins),
        calibration_bins=bins,
    )


def worst_mistakes(posteriors: np.ndarray, labels: np.ndarray, limit: int = 24) -> np.ndarray:
    """Indices of the wrong predictions, those that gave the truth the smallest posterior first.

    >>> worst_mistakes(np.array([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8]]), np.array([1, 1, 1]))
    array([1, 0])
    """
    of_truth = posteriors[np.arange(len(labels)), labels]
    wrong = np.flatnonzero(posteriors.argmax(axis=1) != labels)
    return wrong[np.argsort(of_truth[wrong], kind="stable")][:limit]


def _check(posteriors: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> None:
    who = "evaluate_posteriors"
    if posteriors.ndim != 2 or labels.ndim != 1 or len(posteriors) != len(labels):
        raise ShapeError(
            f"{who}: posteriors are {posteriors.shape} and labels {labels.shape}; expected (n, classes) and (n,)."
        )
    if posteriors.shape[1] != len(classes):
        raise ShapeError(f"{who}: {posteriors.shape[1]} posteriors per sample, but {counted(len(classes), 'class')}.")
    if not len(labels):
        raise ShapeError(f"{who}: no samples to evaluate.")
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"{who}: labels are {labels.dtype}, expected integers that index the classes.")
    outside = np.flatnonzero((labels < 0) | (labels >= len(classes)))
    if outside.size:
        first = outside[0]
        raise DataError(f"{who}: label {labels[first]} of sample {first} is outside 0 to {len(classes) - 1}.")
    not_finite = np.flatnonzero(~np.isfinite(posteriors).all(axis=1))
    if not_finite.size:
        how_many = counted(not_finite.size, "sample")
        raise DataError(
            f"{who}: posteriors of {how_many} are not finite, first of sample {not_finite[0]}.\n"
            "  Hint: the network itself diverged, or its input holds NaN; a smaller learning rate often helps."
        )
    sums = posteriors.sum(axis=1, dtype=np.float64)
    no_probability = np.flatnonzero((np.abs(sums - 1) > SUM_TOLERANCE) | (posteriors < 0).any(axis=1))
    if no_probability.size:
        first = no_probability[0]
        raise DataError(
            f"{who}: posteriors of sample {first} sum to {sums[first]:.4g} with a smallest of "
            f"{posteriors[first].min():.4g}; expected a sum of 1 ± {SUM_TOLERANCE:g} and none below 0.\n"
            "  Hint: pass probabilities, not scores: torch.softmax(scores, dim=1)."
        )


def _rank_of_truth(posteriors: np.ndarray, labels: np.ndarray, of_truth: np.ndarray) -> np.ndarray:
    """How many classes come before the truth; equal posteriors in the order of the classes, as argmax takes them."""
    higher = (posteriors > of_truth[:, None]).sum(axis=1)
    earlier = np.arange(posteriors.shape[1]) < labels[:, None]
    return higher + ((posteriors == of_truth[:, None]) & earlier).sum(axis=1)


def _per_class(confusion: np.ndarray, classes: Sequence[str]) -> tuple[ClassScores, ...]:
    hits, supports, predictions = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    return tuple(
        ClassScores(
            name=name,
            precision=hit / max(predicted, 1),
            recall=hit / max(support, 1),
            f1=2 * hit / max(predicted + support, 1),
            support=support,
            predicted=predicted,
        )
        for name, hit, support, predicted in zip(
            classes, hits.tolist(), supports.tolist(), predictions.tolist(), strict=True
        )
    )


def _calibration_bins(confidence: np.ndarray, correct: np.ndarray) -> tuple[CalibrationBin, ...]:
    edges = np.arange(NUM_BINS + 1) / NUM_BINS
    which = np.digitize(confidence, edges[1:-1], right=True)
    counts = np.bincount(which, minlength=NUM_BINS)
    filled = np.maximum(counts, 1)
    confidences = np.bincount(which, weights=confidence, minlength=NUM_BINS) / filled
    accuracies = np.bincount(which, weights=correct, minlength=NUM_BINS) / filled
    columns = edges[:-1], edges[1:], confidences, accuracies, counts
    return tuple(CalibrationBin(*row) for row in zip(*(column.tolist() for column in columns), strict=True))


def _wilson_interval(correct: int, num_samples: int) -> tuple[float, float]:
    from scipy.stats import binomtest  # takes a second to import

    interval = binomtest(correct, num_samples).proportion_ci(confidence_level=0.95, method="wilson")
    return float(interval.low), float(interval.high)
