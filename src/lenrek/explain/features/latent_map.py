"""A data set's features on a plane, and how far to believe the picture."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from lenrek.data.evenly import evenly_spaced
from lenrek.errors import DataError, OptionError, ShapeError

WHO = "latent_map"
Method = Literal["pca", "umap"]
NEIGHBOURS = 15
MOST_COMPARED = 3000  # samples for the trustworthiness, which compares each with every other


@dataclass(frozen=True, eq=False)
class LatentMap:
    """Samples on a plane.

    Attributes:
        points: (samples, 2), float32.
        method: "pca" or "umap".
        explained: of PCA, the share of the variance along each of the two axes; () for UMAP, whose axes mean nothing.
        trustworthiness: 0 to 1: 1 where the `neighbours` nearest on the plane are the nearest in the features, too.
        neighbours: how many are looked at.
        compared: over how many samples, evenly spaced.
    """

    points: np.ndarray
    method: Method
    explained: tuple[float, ...]
    trustworthiness: float
    neighbours: int
    compared: int

    @property
    def caption(self) -> str:
        """How far to believe the picture."""
        if self.method == "pca":
            head = (
                f"Principal components: distances are those of the features, seen along the two directions of largest "
                f"variance, which hold {100 * sum(self.explained):.1f} % of it "
                f"({' + '.join(f'{100 * share:.1f}' for share in self.explained)}). What differs along the others "
                "falls together here."
            )
        else:
            head = (
                f"UMAP: who is near whom is kept where possible; the size of groups, the distance between them and the "
                f"axes mean nothing. Fitted with {self.neighbours} neighbours: other numbers give other pictures."
            )
        over = f"over {self.compared:,} samples" + (", evenly spaced" if self.compared < len(self.points) else "")
        return (
            f"{head} Trustworthiness {self.trustworthiness:.3f} for {self.neighbours} neighbours, {over}: "
            "1 where neighbours on the plane are neighbours in the features, about 0.5 for a random plane."
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "method": self.method, "points": self.points.tolist(), "explained_variance": list(self.explained),
            "trustworthiness": self.trustworthiness, "neighbours": self.neighbours, "compared": self.compared,
            "caption": self.caption,
        }  # fmt: skip


def latent_map(features: Any, method: Method = "pca", *, neighbours: int = NEIGHBOURS, seed: int = 0) -> LatentMap:
    """Vectors of samples as points on a plane.

    Args:
        features: (samples, features), such as `sample_vectors(…).vectors` or a store's vectors. Euclidean distances: of
            unit vectors they order as angles do.
        method: "pca", which is linear and always the same; or "umap", which needs the package umap-learn.
        neighbours: that count for the trustworthiness, and for UMAP; fewer where there are few samples.
        seed: of UMAP.
    Raises:
        OptionError: an unknown method, or umap-learn is not installed.
        ShapeError: not (samples, features), or fewer than 4 samples.
        DataError: numbers that are not finite.
    Source: Venna & Kaski 2001, doi:10.1007/3-540-44668-0_68; McInnes, Healy & Melville 2018, arXiv:1802.03426.
    Example: points on a plane in space lose nothing.
        >>> drawn = np.random.default_rng(0)
        >>> found = latent_map(drawn.normal(size=(40, 2)) @ drawn.normal(size=(2, 5)))
        >>> round(sum(found.explained), 6), found.trustworthiness
        (1.0, 1.0)
    """
    x = np.asarray(features.detach().cpu() if isinstance(features, torch.Tensor) else features, np.float64)
    if x.ndim != 2 or len(x) < 4 or not x.shape[1]:
        raise ShapeError(f"{WHO}: features is {x.shape}, expected (samples, features) of at least 4 samples.")
    if not np.isfinite(x).all():
        raise DataError(f"{WHO}: features holds NaN or infinite values, expected finite ones.")
    if neighbours < 1:
        raise OptionError(f"{WHO}: neighbours is {neighbours}, expected at least 1.")
    near = min(neighbours, (len(x) - 1) // 2)  # the figure is defined for less than half of the samples
    explained: tuple[float, ...] = ()
    if method == "pca":
        points, explained = _principal(x)
    elif method == "umap":
        points = _umap(x, near, seed)
    else:
        raise OptionError(f"{WHO}: method is {method!r}, expected 'pca' or 'umap'.")
    chosen = evenly_spaced(len(x), MOST_COMPARED)
    trusted = _trustworthiness(x[chosen], points[chosen], near)
    return LatentMap(points.astype(np.float32), method, explained, trusted, near, len(chosen))


def _principal(x: np.ndarray) -> tuple[np.ndarray, tuple[float, ...]]:
    from sklearn.decomposition import PCA

    centred = x - x.mean(0)
    total = float(np.square(centred).sum())
    if not total:  # all alike
        return np.zeros((len(x), 2)), (0.0, 0.0)
    kept = min(2, *x.shape)
    points = PCA(kept, random_state=0).fit_transform(centred)
    shares = np.square(points).sum(0) / total
    points = np.pad(points, ((0, 0), (0, 2 - kept)))
    return points, (*(float(share) for share in shares), *[0.0] * (2 - kept))


def _umap(x: np.ndarray, neighbours: int, seed: int) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ImportWarning)  # it tells of a part that needs TensorFlow
            import umap
    except ImportError as error:
        raise OptionError(
            f"{WHO}: method is 'umap', which needs the package umap-learn.\n"
            '  Hint: pip install "lenrek[umap]", or method="pca".'
        ) from error
    # One job: with several the result would depend on their race. Few samples have no spectrum to start from.
    start: Sequence[Any] | str = "spectral" if len(x) > 50 else "random"
    fitted = umap.UMAP(n_neighbors=max(neighbours, 2), random_state=seed, n_jobs=1, init=start)
    return np.asarray(fitted.fit_transform(x.astype(np.float32)), np.float64)


def _trustworthiness(x: np.ndarray, points: np.ndarray, neighbours: int) -> float:
    from sklearn.manifold import trustworthiness

    return float(trustworthiness(x, points, n_neighbors=neighbours))
