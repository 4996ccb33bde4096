"""Maps of features: figures by plain loops, and what is said of a package that is not there."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest
import torch
from torch import nn

from lenrek.errors import DataError, ModelError, OptionError, ShapeError
from lenrek.explain.features.latent_map import latent_map
from lenrek.explain.features.vectors import sample_vectors


def trust(x: np.ndarray, points: np.ndarray, k: int) -> float:
    """Venna & Kaski 2001, eq. 1, by loops."""
    n = len(x)
    total = 0
    for i in range(n):
        others = [j for j in range(n) if j != i]
        by_features = sorted(others, key=lambda j: np.linalg.norm(x[i] - x[j]))
        near = sorted(others, key=lambda j: np.linalg.norm(points[i] - points[j]))[:k]
        total += sum(max(0, by_features.index(j) + 1 - k) for j in near)
    return 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * total


def test_principal_components_and_trustworthiness_by_loops(rng: np.random.Generator) -> None:
    x = rng.normal(size=(30, 6)) * [5, 3, 1, 1, 0.5, 0.1] + 7
    found = latent_map(x, neighbours=4)
    variance, directions = np.linalg.eigh(np.cov(x.T))
    assert found.explained == pytest.approx(variance[::-1][:2] / variance.sum())
    expected = (x - x.mean(0)) @ directions[:, ::-1][:, :2]
    assert np.abs(found.points) == pytest.approx(np.abs(expected), abs=1e-4)
    assert found.trustworthiness == pytest.approx(trust(x, found.points.astype(np.float64), 4), abs=1e-3)
    assert f"hold {100 * sum(found.explained):.1f} % of it" in found.caption
    assert f"Trustworthiness {found.trustworthiness:.3f} for 4 neighbours, over 30 samples" in found.caption


def test_few_samples_one_feature_and_samples_that_are_alike() -> None:
    assert latent_map(np.arange(4.0)[:, None]).points.shape == (4, 2)
    alike = latent_map(torch.ones(6, 3))
    assert alike.explained == (0, 0)
    assert (alike.points == 0).all()


def test_umap_is_given_the_seed_and_the_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {}

    class UMAP:
        def __init__(self, **options: object) -> None:
            given.update(options)

        def fit_transform(self, x: np.ndarray) -> np.ndarray:
            return x[:, 1:3]

    monkeypatch.setitem(sys.modules, "umap", types.SimpleNamespace(UMAP=UMAP))
    x = np.random.default_rng(0).normal(size=(60, 4))
    found = latent_map(x, "umap", seed=5, neighbours=7)
    assert (given["random_state"], given["n_neighbors"], given["n_jobs"]) == (5, 7, 1)
    assert found.points == pytest.approx(x[:, 1:3], abs=1e-6)
    assert found.explained == ()
    assert "the distance between them and the axes mean nothing" in found.caption
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(OptionError, match=r'needs the package umap-learn.\n  Hint: pip install "lenrek\[umap\]"'):
        latent_map(x, "umap")


def test_vectors_are_means_over_positions() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2), nn.ReLU()
    )
    x = torch.randn(5, 1, 6, 7)
    expected = net[:2](x).detach().double().numpy()
    loops = [[np.mean([expected[n, c, i, j] for i in range(4) for j in range(5)]) for c in range(3)] for n in range(5)]
    for layer in ("1", None):
        assert sample_vectors(net, x, layer).vectors == pytest.approx(np.array(loops), abs=1e-6)
    limited = sample_vectors(net, x, limit=2)
    assert (limited.layer, limited.index.tolist(), limited.names) == ("before 4", [0, 4], ("sample 0", "sample 4"))


def test_what_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"features is \(3, 2\), expected \(samples, features\) of at least 4"):
        latent_map(np.zeros((3, 2)))
    with pytest.raises(DataError, match="NaN or infinite"):
        latent_map(np.full((5, 2), np.nan))
    with pytest.raises(OptionError, match="method is 'tsne', expected 'pca' or 'umap'"):
        latent_map(np.zeros((5, 2)), "tsne")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="neighbours is 0"):
        latent_map(np.zeros((5, 2)), neighbours=0)
    with pytest.raises(ModelError, match="no convolution and no linear layer"):
        sample_vectors(nn.Sequential(nn.ReLU()), torch.zeros(2, 1, 3))
