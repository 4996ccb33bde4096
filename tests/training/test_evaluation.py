"""The figures against plain loops, scikit-learn and hand-computed values."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from lenrek.errors import CheckpointError, DataError, ShapeError
from lenrek.training.evaluation import Evaluation, evaluate_posteriors, worst_mistakes


def draw(seed: int, num_samples: int, num_classes: int, sharpness: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Posteriors that know something about labels of unequal frequency."""
    rng = np.random.default_rng(seed)
    frequency = np.arange(1, num_classes + 1) / sum(range(1, num_classes + 1))
    labels = rng.choice(num_classes, size=num_samples, p=frequency)
    scores = rng.normal(size=(num_samples, num_classes))
    scores[np.arange(num_samples), labels] += sharpness
    exponentials = np.exp(scores)
    return exponentials / exponentials.sum(axis=1, keepdims=True), labels


def names(count: int) -> list[str]:
    return [f"class {index}" for index in range(count)]


def calibration_error_by_loops(posteriors: np.ndarray, labels: np.ndarray) -> float:
    error = 0.0
    for bin_index in range(15):
        confidences, rights = [], []
        for row, label in zip(posteriors, labels, strict=True):
            if bin_index / 15 < max(row) <= (bin_index + 1) / 15:
                confidences.append(max(row))
                rights.append(list(row).index(max(row)) == label)
        if rights:
            gap = abs(sum(rights) / len(rights) - sum(confidences) / len(confidences))
            error += len(rights) / len(labels) * gap
    return error


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), num_samples=st.integers(1, 90), num_classes=st.integers(2, 9))
def test_every_figure_matches_scikit_learn_and_plain_loops(seed, num_samples, num_classes):
    posteriors, labels = draw(seed, num_samples, num_classes)
    predicted = np.array([list(row).index(max(row)) for row in posteriors])
    got = evaluate_posteriors(posteriors, labels, names(num_classes))
    every = list(range(num_classes))

    assert got.num_samples == num_samples
    assert got.accuracy == pytest.approx(metrics.accuracy_score(labels, predicted))
    np.testing.assert_array_equal(got.confusion, metrics.confusion_matrix(labels, predicted, labels=every))
    present = sorted(set(labels.tolist()))
    recall = metrics.recall_score(labels, predicted, labels=present, average="macro", zero_division=0)
    assert got.balanced_accuracy == pytest.approx(recall)
    expected = metrics.precision_recall_fscore_support(labels, predicted, labels=every, zero_division=0)
    scores = [(s.precision, s.recall, s.f1, s.support) for s in got.per_class]
    np.testing.assert_allclose(scores, np.stack(expected, axis=1))
    assert [s.predicted for s in got.per_class] == [int((predicted == c).sum()) for c in every]
    assert got.loss == pytest.approx(metrics.log_loss(labels, posteriors, labels=every))
    assert got.calibration_error == pytest.approx(calibration_error_by_loops(posteriors, labels))
    assert sum(b.count for b in got.calibration_bins) == num_samples
    assert list(got.top_k) == [k for k in (1, 3, 5) if k < num_classes]
    for k, share in got.top_k.items():
        among = [
            label in sorted(every, key=lambda c: -row[c])[:k] for row, label in zip(posteriors, labels, strict=True)
        ]
        assert share == pytest.approx(sum(among) / num_samples)


def test_interval_is_wilsons_closed_form():
    posteriors = np.tile([0.7, 0.3], (40, 1))
    labels = np.array([0] * 31 + [1] * 9)
    low, high = evaluate_posteriors(posteriors, labels, "ab").accuracy_interval
    n, share, z = 40, 31 / 40, 1.959963984540054
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    assert (low, high) == pytest.approx((centre - half, centre + half))


def test_one_sample_is_enough():
    got = evaluate_posteriors(np.array([[0.25, 0.75]]), np.array([1]), ["no", "yes"])
    assert (got.accuracy, got.balanced_accuracy, got.calibration_error) == (1.0, 1.0, 0.25)
    assert got.accuracy_interval == pytest.approx((0.2065, 1.0), abs=1e-4)
    assert got.majority_share == 1.0


def test_a_class_without_samples_scores_zero_and_leaves_the_balanced_accuracy_alone():
    posteriors = np.array([[0.8, 0.1, 0.1], [0.1, 0.1, 0.8], [0.6, 0.3, 0.1], [0.1, 0.7, 0.2]])
    got = evaluate_posteriors(posteriors, np.array([0, 0, 0, 1]), ["a", "b", "absent"])
    absent = got.per_class[2]
    assert (absent.precision, absent.recall, absent.f1, absent.support, absent.predicted) == (0, 0, 0, 0, 1)
    assert got.balanced_accuracy == pytest.approx((2 / 3 + 1) / 2)


def test_a_tie_goes_to_the_first_class_in_accuracy_and_in_top_k_alike():
    posteriors = np.full((4, 4), 0.25)
    got = evaluate_posteriors(posteriors, np.array([0, 1, 2, 3]), "abcd")
    assert got.accuracy == 0.25
    assert got.top_k == {1: 0.25, 3: 0.75}
    np.testing.assert_array_equal(got.confusion[:, 0], [1, 1, 1, 1])


def test_a_confidence_on_an_edge_belongs_to_the_bin_below_it():
    posteriors = np.array([[0.6, 0.4], [0.8, 0.2], [1.0, 0.0]])
    got = evaluate_posteriors(posteriors, np.array([0, 0, 0]), "ab")
    filled = [(round(b.upper, 6), b.count) for b in got.calibration_bins if b.count]
    assert filled == [(0.6, 1), (0.8, 1), (1.0, 1)]


def test_a_posterior_of_zero_for_the_truth_costs_the_smallest_float32():
    got = evaluate_posteriors(np.array([[1.0, 0.0]]), np.array([1]), "ab")
    assert got.loss == pytest.approx(126 * math.log(2))


def test_narrow_label_types_do_not_overflow():
    posteriors = np.eye(200, dtype=np.float32)
    got = evaluate_posteriors(posteriors, np.arange(200, dtype=np.uint8), names(200))
    assert got.accuracy == 1.0
    assert got.confusion.trace() == 200


def test_confused_pairs_come_most_frequent_first_and_without_zeros():
    labels = np.array([0, 0, 0, 1, 1, 2])
    predicted = np.array([1, 1, 0, 2, 1, 2])
    got = evaluate_posteriors(np.eye(3)[predicted], labels, ["cat", "dog", "fox"])
    assert got.confused_pairs() == [("cat", "dog", 2), ("dog", "fox", 1)]
    assert got.confused_pairs(limit=1) == [("cat", "dog", 2)]


def test_worst_mistakes_are_wrong_and_ordered_by_the_posterior_of_the_truth():
    posteriors, labels = draw(3, 60, 5, sharpness=0.5)
    worst = worst_mistakes(posteriors, labels, limit=7)
    of_truth = posteriors[np.arange(60), labels]
    wrong = [i for i in range(60) if posteriors[i].argmax() != labels[i]]
    assert worst.tolist() == sorted(wrong, key=lambda i: of_truth[i])[:7]


def test_json_and_back():
    got = evaluate_posteriors(*draw(1, 50, 7), names(7))
    stored = json.loads(json.dumps(got.to_json(), allow_nan=False))
    back = Evaluation.from_json(stored)
    assert back.to_json() == got.to_json()
    assert back.top_k.keys() == {1, 3, 5}
    assert back.accuracy_interval == got.accuracy_interval
    assert back.confusion.dtype == np.int64
    assert back.per_class == got.per_class


def test_stored_evaluation_with_a_field_missing():
    stored = evaluate_posteriors(*draw(1, 50, 7), names(7)).to_json()
    del stored["top_k"]
    with pytest.raises(CheckpointError) as caught:
        Evaluation.from_json(stored)
    assert str(caught.value) == "Evaluation: the stored evaluation cannot be read: KeyError: 'top_k'."


GOOD = np.array([[0.5, 0.5], [0.2, 0.8], [0.9, 0.1]])
LABELS = np.array([0, 1, 0])


@pytest.mark.parametrize(
    ("posteriors", "labels", "classes", "error", "message"),
    [
        (GOOD, LABELS[:2], "ab", ShapeError, "posteriors are (3, 2) and labels (2,); expected (n, classes) and (n,)."),
        (GOOD[0], LABELS, "ab", ShapeError, "posteriors are (2,) and labels (3,); expected (n, classes) and (n,)."),
        (GOOD, LABELS, "abc", ShapeError, "2 posteriors per sample, but 3 classes."),
        (GOOD[:0], LABELS[:0], "ab", ShapeError, "no samples to evaluate."),
        (GOOD, LABELS * 1.0, "ab", DataError, "labels are float64, expected integers that index the classes."),
        (GOOD, LABELS * 2, "ab", DataError, "label 2 of sample 1 is outside 0 to 1."),
        (GOOD, -LABELS, "ab", DataError, "label -1 of sample 1 is outside 0 to 1."),
        (
            np.array([[0.5, 0.5], [np.nan, 0.8], [np.inf, 0.1]]),
            LABELS,
            "ab",
            DataError,
            "posteriors of 2 samples are not finite, first of sample 1.\n"
            "  Hint: the network itself diverged, or its input holds NaN; a smaller learning rate often helps.",
        ),
        (
            np.array([[0.5, 0.5], [0.9, 0.3], [2.5, 0.1]]),
            LABELS,
            "ab",
            DataError,
            "posteriors of sample 1 sum to 1.2 with a smallest of 0.3; expected a sum of 1 ± 0.001 and none below 0.\n"
            "  Hint: pass probabilities, not scores: torch.softmax(scores, dim=1).",
        ),
        (
            np.array([[0.5, 0.5], [1.5, -0.5], [0.9, 0.1]]),
            LABELS,
            "ab",
            DataError,
            "posteriors of sample 1 sum to 1 with a smallest of -0.5; expected a sum of 1 ± 0.001 and none below 0.\n"
            "  Hint: pass probabilities, not scores: torch.softmax(scores, dim=1).",
        ),
    ],
)
def test_what_cannot_be_evaluated_says_why(posteriors, labels, classes, error, message):
    with pytest.raises(error) as caught:
        evaluate_posteriors(posteriors, labels, classes)
    assert str(caught.value) == f"evaluate_posteriors: {message}"
