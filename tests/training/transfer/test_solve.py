"""The optimal linear layer: against SciPy's minimiser of the same sum, written here anew."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp

from lenrek.errors import DataError
from lenrek.training.transfer.folds import left_out_posteriors
from lenrek.training.transfer.solve import Features, LinearLayer, solve_path


def made_up(rows: int, features: int, classes: int, seed: int) -> Features:
    random = np.random.default_rng(seed)
    labels = random.integers(classes, size=rows)
    labels[:classes] = np.arange(classes)
    x = random.normal(size=(rows, features)) + 3 * random.normal(size=(classes, features))[labels] + 5
    return Features(x.astype(np.float32), labels, np.arange(rows))


def objective(weight: np.ndarray, bias: np.ndarray, f: Features, strength: float, weights: np.ndarray) -> float:
    """λ/2 ‖W‖² + weighted mean cross-entropy, of features centred and of mean squared length 1."""
    z = f.x.astype(np.float64) - f.x.mean(0, dtype=np.float64)
    z /= np.sqrt((z**2).sum(1).mean())
    scores = z @ weight.T + bias
    losses = logsumexp(scores, axis=1) - scores[np.arange(len(scores)), f.labels]
    return strength / 2 * float((weight**2).sum()) + float((weights[f.labels] * losses).sum() / weights[f.labels].sum())


@pytest.mark.parametrize("balanced", [False, True])
def test_it_is_the_minimum(balanced: bool) -> None:
    f = made_up(61, 4, 3, seed=1)
    class_weights = np.array([0.4, 1.0, 2.3]) if balanced else np.ones(3)
    strengths = (0.1, 0.01)
    layers = list(solve_path(f, 3, class_weights if balanced else None, strengths))
    mean = f.x.mean(0, dtype=np.float64)
    scale = np.sqrt(((f.x - mean) ** 2).sum(1).mean())
    for layer, strength in zip(layers, strengths, strict=True):
        weight, bias = layer.weight * scale, layer.bias + layer.weight @ mean
        found = minimize(
            lambda p, s=strength: objective(p[:12].reshape(3, 4), p[12:], f, s, class_weights), np.zeros(15), tol=1e-10
        )
        assert objective(weight, bias, f, strength, class_weights) == pytest.approx(found.fun, rel=1e-4)
        np.testing.assert_allclose(weight, found.x[:12].reshape(3, 4), atol=0.02)


def test_two_classes_are_shared_evenly() -> None:
    f = made_up(40, 3, 2, seed=2)
    (layer,) = solve_path(f, 2, strengths=(0.05,))
    np.testing.assert_allclose(layer.weight[0], -layer.weight[1], rtol=1e-9)
    assert (layer.posteriors(f.x).argmax(1) == f.labels).mean() > 0.9


def test_a_class_without_samples_is_never_said() -> None:
    f = made_up(40, 3, 2, seed=2)
    moved = Features(f.x, f.labels * 2, f.index)  # of three classes, the middle one is empty
    (layer,) = solve_path(moved, 3, strengths=(0.05,))
    posteriors = layer.posteriors(f.x)
    assert posteriors[:, 1].max() < 1e-100
    (two,) = solve_path(f, 2, strengths=(0.05,))
    np.testing.assert_allclose(posteriors[:, [0, 2]], two.posteriors(f.x), rtol=1e-6)


def test_posteriors_by_hand() -> None:
    layer = LinearLayer(np.array([[2.0], [0.0]]), np.array([0.0, 1.0]), 0.1, 0.0)
    np.testing.assert_allclose(layer.posteriors(np.array([[0.5], [1000.0]], np.float32)), [[0.5, 0.5], [1.0, 0.0]])


def test_each_sample_is_judged_without_its_views() -> None:
    """Samples with labels at random: whoever had seen another view of the same sample would know."""
    random = np.random.default_rng(3)
    x, labels, index = random.normal(size=(40, 30)), np.arange(40) % 2, np.arange(40)
    views = [Features((x + 1e-3 * v).astype(np.float32), labels, index) for v in range(3)]
    f = Features.joined(views)
    weak = list(left_out_posteriors(f, 2, seed=0))[-1]
    assert (weak.argmax(1) == f.labels).mean() < 0.75
    single = Features(f.x[:5], np.array([0, 0, 0, 0, 1]), np.arange(5))
    with pytest.raises(DataError, match="single training sample"):
        next(left_out_posteriors(single, 2, seed=0))
