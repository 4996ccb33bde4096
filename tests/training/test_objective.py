"""The loss against NumPy in float64, written out with one-hot labels."""

import numpy as np
import pytest
import torch

from lenrek.training.objective import Targets, loss, num_right

LOGITS = torch.tensor(
    [[2.0, -1.0, 0.5, 0.0], [0.3, 0.2, 0.1, 0.4], [-3.0, 1.5, 1.0, 2.0], [0.0, 4.0, -2.0, 1.0], [1.0, 1.5, 3.0, -1.0]]
)
OWN, OTHER = np.array([0, 3, 1, 1, 2]), np.array([2, 3, 0, 2, 1])
WEIGHTS = np.array([0.25, 0.5, 2.0, 1.25])


def one_hot(labels: np.ndarray) -> np.ndarray:
    return np.eye(4)[labels]


def by_hand(rows: np.ndarray) -> float:
    """−Σ target · log softmax, over the number of samples."""
    logits = LOGITS.double().numpy()
    log_posteriors = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    return float(-(rows * log_posteriors).sum() / len(logits))


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("share", [None, 0.0, 0.35, 1.0])
def test_loss_is_that_of_mixed_weighted_smoothed_one_hot_labels(
    smoothing: float, weights: np.ndarray | None, share: float | None
) -> None:
    def smooth(labels: np.ndarray) -> np.ndarray:
        return (1 - smoothing) * one_hot(labels) + smoothing / 4

    def weigh(labels: np.ndarray) -> np.ndarray:
        return np.ones((5, 1)) if weights is None else weights[labels][:, None]

    rows = weigh(OWN) * smooth(OWN)
    targets = Targets(torch.from_numpy(OWN))
    if share is not None:
        rows = share * rows + (1 - share) * weigh(OTHER) * smooth(OTHER)
        targets = Targets(torch.from_numpy(OWN), torch.from_numpy(OTHER), share)
    given = None if weights is None else torch.from_numpy(weights).float()
    assert loss(LOGITS, targets, smoothing, given).item() == pytest.approx(by_hand(rows), rel=1e-6)


def test_mixed_loss_is_pytorchs_on_probabilities() -> None:
    rows = torch.from_numpy(0.35 * one_hot(OWN) + 0.65 * one_hot(OTHER))
    expected = torch.nn.functional.cross_entropy(LOGITS.double(), rows)
    targets = Targets(torch.from_numpy(OWN), torch.from_numpy(OTHER), 0.35)
    assert loss(LOGITS, targets).item() == pytest.approx(expected.item(), rel=1e-6)


def test_inverse_frequencies_make_it_the_mean_of_the_classes_means() -> None:
    labels = np.array([0, 0, 0, 1, 2])
    weights = torch.tensor([5 / 9, 5 / 3, 5 / 3, 0.0])
    each = torch.nn.functional.cross_entropy(LOGITS, torch.from_numpy(labels), reduction="none").numpy()
    expected = (each[:3].mean() + each[3] + each[4]) / 3
    assert loss(LOGITS, Targets(torch.from_numpy(labels)), 0.0, weights).item() == pytest.approx(expected, rel=1e-6)


def test_right_answers_count_by_their_shares() -> None:
    # the highest scores are of 0, 3, 3, 1, 2
    own, other = torch.from_numpy(OWN), torch.from_numpy(OTHER)
    assert num_right(LOGITS, Targets(own)) == 4
    assert num_right(LOGITS, Targets(own, other, 0.35)) == pytest.approx(4 * 0.35 + 1 * 0.65)
