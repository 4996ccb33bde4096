"""Figures of distances against scikit-learn's and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.metrics.pairwise import cosine_distances, euclidean_distances
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from lenrek.errors import DataError, ModelError, OptionError
from lenrek.explain.distances import compare_distances
from lenrek.explain.neighbours import METRICS, follow_labels

DISTANCES = {"euclidean": euclidean_distances, "cosine": cosine_distances}


def blobs(samples: int = 300, features: int = 7) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    labels = rng.choice([4, 7, 9], samples, p=[0.5, 0.3, 0.2])
    return rng.normal(size=(samples, features)) + 0.4 * labels[:, None] * (np.arange(features) % 3), labels


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_equal_to_scikit_learn(metric: str) -> None:
    x, labels = blobs()
    numbers = torch.from_numpy(np.unique(labels, return_inverse=True)[1])
    found = follow_labels(torch.from_numpy(x), numbers, METRICS[metric], 1)
    distances = DISTANCES[metric](x)
    same = labels[:, None] == labels
    upper = np.triu_indices(len(x), 1)
    assert found.roc_auc == pytest.approx(roc_auc_score(same[upper], -distances[upper]), abs=1e-12)
    precisions, right = [], 0
    for i in range(len(x)):
        others = np.arange(len(x)) != i
        precisions.append(average_precision_score(same[i, others], -distances[i, others]))
        voters = KNeighborsClassifier(1, metric=metric).fit(x[others], labels[others])
        right += voters.predict(x[i : i + 1])[0] == labels[i]
    assert found.mean_average_precision == pytest.approx(np.mean(precisions), abs=1e-12)
    assert found.knn_accuracy == pytest.approx(right / len(x))


def test_ties_count_half_and_are_one_rank() -> None:
    x = torch.tensor([[0.0], [1.0], [1.0], [2.0], [0.0]], dtype=torch.float64)
    labels = torch.tensor([0, 0, 1, 1, 1])
    found = follow_labels(x, labels, METRICS["euclidean"], 1)
    distances, same = (x - x.T).abs().numpy(), (labels[:, None] == labels).numpy()
    upper = np.triu_indices(5, 1)
    assert found.roc_auc == pytest.approx(roc_auc_score(same[upper], -distances[upper]))
    others = ~np.eye(5, dtype=bool)
    by_query = [average_precision_score(same[i, others[i]], -distances[i, others[i]]) for i in range(5)]
    assert found.mean_average_precision == pytest.approx(np.mean(by_query))


def test_the_curve_encloses_the_area() -> None:
    x, labels = blobs()
    numbers = torch.from_numpy(np.unique(labels, return_inverse=True)[1])
    found = follow_labels(torch.from_numpy(x), numbers, METRICS["euclidean"], 5)
    rates, hits = np.array(found.curve).T
    assert (rates[0], rates[-1], hits[0], hits[-1]) == (0, 1, pytest.approx(0, abs=0.01), 1)
    assert np.all(np.diff(hits) >= 0)
    area = np.sum(np.diff(rates) * (hits[1:] + hits[:-1]) / 2)
    assert area == pytest.approx(found.roc_auc, abs=5e-3)


def test_a_vote_by_hand() -> None:
    x = torch.tensor([[0.0], [1.0], [2.1], [3.3], [9.0]], dtype=torch.float64)
    labels = torch.tensor([0, 1, 0, 1, 1])
    # Nearest two: 0: 1 2 → 1 0, tie, first is 1 (wrong). 1: 0 2 → 0 0 (wrong). 2: 1 3 → 1 1 (wrong).
    # 3: 2 1 → 0 1, tie, first is 0 (wrong). 4: 3 2 → 1 0, tie, first is 1 (right).
    assert follow_labels(x, labels, METRICS["euclidean"], 2).knn_accuracy == 1 / 5


def test_zero_vectors_have_cosine_distance_one() -> None:
    x = torch.tensor([[0.0, 0.0], [3.0, 4.0]], dtype=torch.float64)
    assert METRICS["cosine"](x, x).tolist() == [[1, 1], [1, pytest.approx(0)]]


class Classes(nn.Module):
    """Features that are the class, whatever the background of the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(1, 2, 3)
        self.pool = nn.AdaptiveMaxPool2d(1)
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(2, 3))
        with torch.no_grad():
            self.features.weight.copy_(torch.tensor([[[[-1, 2, -1.0]] * 3], [[[-1.0] * 3, [2.0] * 3, [-1.0] * 3]]]))
            self.features.bias.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.pool(self.features(x)))


def lines(samples: int = 60) -> tuple[torch.Tensor, np.ndarray]:
    """Bright lines, upright or lying, anywhere on a background of any brightness."""
    rng = np.random.default_rng(0)
    x, labels = np.zeros((samples, 1, 12, 14), np.float32), rng.integers(0, 2, samples)
    for picture, label in zip(x, labels, strict=True):
        picture += 5 * rng.random()
        place = rng.integers(1, 11)
        picture[(0, slice(None), place) if label else (0, place)] += 1
    return torch.from_numpy(x), labels


def test_features_follow_the_classes_where_pixels_do_not() -> None:
    x, labels = lines()
    model = Classes()
    found = compare_distances(model, x, np.array(["lying", "upright"])[labels], k=3)
    figures = {(row.where, row.metric): row for row in found.rows}
    assert list(figures) == [
        (where, metric) for where in ("input", "before classifier.1") for metric in ("euclidean", "cosine")
    ]
    features, pixels = figures["before classifier.1", "euclidean"], figures["input", "euclidean"]
    assert (features.roc_auc, features.knn_accuracy, features.mean_average_precision) == (1, 1, pytest.approx(1))
    assert pixels.roc_auc < 0.6
    assert (features.features, pixels.features) == (2, 168)
    assert found.chance[:2] == (0.5, max(np.bincount(labels)) / 60)
    assert model.training
    named = compare_distances(model, x, labels, ["pool", "features"], k=3, batch_size=7)
    assert [row.where for row in named.rows[2:]] == ["pool", "pool", "features", "features"]
    assert vars(named.rows[2]) == vars(features) | {"where": "pool"}
    chart = str(found.chart("cosine"))
    assert chart.count("<g ") == 2
    as_json = found.to_json()
    assert as_json["rows"][2]["roc_auc"] == 1
    assert "curve" not in as_json["rows"][0]


def test_bad_input() -> None:
    x, labels = lines(8)
    model = Classes()

    def message(*arguments: object, **options: object) -> str:
        with pytest.raises((DataError, ModelError, OptionError)) as raised:
            compare_distances(*arguments, **options)  # type: ignore[arg-type]
        return str(raised.value)

    assert message(model, x, labels[:5]) == ("compare_distances: labels is (5,), expected one for each of 8 samples.")
    assert message(model, x, np.full(8, 3)) == (
        "compare_distances: all samples are of class 3, expected at least 2 classes."
    )
    assert message(model, x, np.arange(8)) == (
        "compare_distances: no two samples are of one class, so that no pair could be near for that reason."
    )
    assert message(model, x, labels, k=8) == (
        "compare_distances: k is 8, but each of 8 samples has 8 − 1 = 7 others: 1 to 7 are expected."
    )
    assert message(model, x, labels, ["feature"]) == (
        "compare_distances: the network has no layer 'feature'.\n  Hint: did you mean features?"
    )
    assert message(nn.Conv2d(1, 2, 3), x, labels) == (
        "compare_distances: Conv2d has no nn.Linear inside, so that its classifier cannot be told from its features.\n"
        "  Hint: name the layers to look at, as layers=['features']."
    )
