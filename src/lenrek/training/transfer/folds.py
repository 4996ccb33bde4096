"""Cross-validation of a head: every sample is judged by a layer that was solved without it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lenrek.errors import DataError
from lenrek.training.transfer.solve import Features, solve_path

FOLDS = 5


def left_out_posteriors(
    features: Features, num_classes: int, seed: int, class_weights: np.ndarray | None = None
) -> Iterator[np.ndarray]:
    """For each strength of regularisation, the posteriors (rows, classes) of all rows.

    All views of a sample are in one fold; samples of a class are spread over the folds.

    Raises:
        DataError: a class with a single sample, which no layer can know when it is left out.
    """
    from sklearn.model_selection import StratifiedKFold

    samples, first = np.unique(features.index, return_index=True)
    labels = features.labels[first]
    counts = np.bincount(labels, minlength=num_classes)
    if (counts == 1).any():
        raise DataError(
            "train: a class has a single training sample, so that nothing can be left out to choose on.\n"
            "  Hint: add samples, or give a validation part."
        )
    folds = StratifiedKFold(min(FOLDS, int(counts[counts > 0].min())), shuffle=True, random_state=seed)
    parts = []
    for kept, left in folds.split(samples, labels):
        inside = np.flatnonzero(np.isin(features.index, samples[kept]))
        outside = np.flatnonzero(np.isin(features.index, samples[left]))
        parts.append((outside, solve_path(features.rows(inside), num_classes, class_weights)))
    while True:
        posteriors = np.empty((len(features.x), num_classes))
        for outside, path in parts:
            if (layer := next(path, None)) is None:
                return
            posteriors[outside] = layer.posteriors(features.x[outside])
        yield posteriors
