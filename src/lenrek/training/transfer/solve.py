"""The best linear layer on features that no longer change: multinomial logistic regression, not gradient steps."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

# Weight of the squared norm against the mean loss, from strong to weak: features have a mean squared length of 1.
STRENGTHS = tuple(float(f"{10 ** (-0.5 * k):.2g}") for k in range(2, 13))
PATIENCE = 3  # weaker ones that were no better on validation, after which none is tried
MAX_STEPS = 200


@dataclass(frozen=True)
class Features:
    """What a frozen network computes of samples.

    Attributes:
        x: float32 (rows, features, …); several rows of a sample are views of it.
        labels: int64 (rows,).
        index: int64 (rows,), which sample each row is of.
    """

    x: np.ndarray
    labels: np.ndarray
    index: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence[Features]) -> Features:
        """All rows of all parts."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("x", "labels", "index")))

    def rows(self, which: np.ndarray) -> Features:
        """Some of the rows."""
        return Features(self.x[which], self.labels[which], self.index[which])


@dataclass(frozen=True)
class LinearLayer:
    """Scores = `weight` x + `bias`, solved with one strength of regularisation.

    Attributes:
        weight: float64 (classes, features).
        bias: float64 (classes,).
        strength: λ of mean cross-entropy + λ/2 · ‖weight‖², for features scaled to a mean squared length of 1.
        time_s: that it took.
    """

    weight: np.ndarray
    bias: np.ndarray
    strength: float
    time_s: float

    def posteriors(self, x: np.ndarray) -> np.ndarray:
        """Class probabilities, float64 (rows, classes)."""
        scores = x.astype(np.float64) @ self.weight.T + self.bias
        scores -= scores.max(1, keepdims=True)
        exponentials = np.exp(scores)
        return exponentials / exponentials.sum(1, keepdims=True)


def solve_path(
    features: Features,
    num_classes: int,
    class_weights: np.ndarray | None = None,
    strengths: tuple[float, ...] = STRENGTHS,
) -> Iterator[LinearLayer]:
    """The optimal layer for each strength of regularisation, from strong to weak, each started from the one before.

    Features are centred and divided by one number; the layers returned take them as they are. Classes without rows get
    no weights and the bias −10³: they are never predicted.

    Args:
        class_weights: (classes,) of the loss; None: all alike.
    Source: Bishop 2006, Pattern Recognition and Machine Learning, §4.3.4; L-BFGS as in SciPy.
    Example:
        >>> x = np.array([[1.0], [2.0], [-1.0], [-2.0]], np.float32)
        >>> layers = list(solve_path(Features(x, np.array([0, 0, 1, 1]), np.arange(4)), 2))
        >>> layers[-1].posteriors(x).argmax(1), bool(abs(layers[0].weight).max() < abs(layers[-1].weight).max())
        (array([0, 0, 1, 1]), True)
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    sample_weights = None if class_weights is None else class_weights[features.labels]
    present = np.unique(features.labels)
    mean = features.x.mean(0, dtype=np.float64)
    centred = features.x.astype(np.float64) - mean
    scale = max(float(np.sqrt(np.einsum("nf,nf->", centred, centred) / len(centred))), np.finfo(np.float32).tiny)
    centred /= scale
    rows = float(len(centred)) if sample_weights is None else float(sample_weights.sum())
    solver = LogisticRegression(warm_start=True, max_iter=MAX_STEPS, tol=1e-4)
    for strength in strengths:
        start = time.perf_counter()
        weight, bias = np.zeros((num_classes, centred.shape[1])), np.full(num_classes, -1e3)
        if len(present) == 1:
            bias[present] = 0
        else:
            solver.C = 1 / (strength * rows)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # the weakest are as good when stopped early
                solver.fit(centred, features.labels, sample_weights)
            coefficients, offsets = solver.coef_, solver.intercept_
            if len(present) == 2:  # scikit-learn's scores of the second class against the first
                coefficients, offsets = np.vstack([-coefficients, coefficients]) / 2, np.hstack([-offsets, offsets]) / 2
            weight[present] = coefficients / scale
            bias[present] = offsets - weight[present] @ mean
        yield LinearLayer(weight, bias, strength, time.perf_counter() - start)
