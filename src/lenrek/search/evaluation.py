"""How good a search is: every row asks for the others of its label, and what it gets is counted."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lenrek.errors import DataError, OptionError

if TYPE_CHECKING:
    from lenrek.search.store import Store

WHO = "search-eval"
QUERY_VALUES = 1 << 22  # comparisons that are sorted at once
PIXEL_SIDE = 32
USUAL = (1, 5, 10)


@dataclass(frozen=True)
class Quality:
    """Means over the queries that have something to find; 1 is perfect everywhere.

    Attributes:
        name: what was compared: "embedding", "expanded by 5", "32×32 pixels" or "chance".
        mean_average_precision: of the precisions at the places of all relevant rows.
        precision: by k, the share of the first k that is relevant.
        recall: by k, the share of the relevant that is among the first k.
        knn_accuracy: of the majority's label among the first k of `neighbours`.
    """

    name: str
    mean_average_precision: float
    precision: dict[int, float]
    recall: dict[int, float]
    knn_accuracy: float


@dataclass(frozen=True)
class SearchEvaluation:
    """Attributes:
    rows: the search by the store's vectors, and baselines.
    queries, among: how many were asked, and among how many others each looked.
    neighbours: how many vote in `knn_accuracy`.
    """

    rows: tuple[Quality, ...]
    queries: int
    among: int
    neighbours: int

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict."""
        return asdict(self)


def evaluate(
    store: Store,
    *,
    where: str | None = None,
    ks: tuple[int, ...] = USUAL,
    neighbours: int = 5,
    expand: int = 0,
    samples: int = 10_000,
    pixels: bool = True,
) -> SearchEvaluation:
    """As `Store.evaluate`."""
    if not ks or min(ks) < 1 or neighbours < 1 or samples < 1:
        raise OptionError(f"{WHO}: k {ks}, neighbours {neighbours} and samples {samples}, expected 1 or more each.")
    found = store.table.read(["label"], where)
    labelled = [(one, label) for one, label in zip(found["_rowid"], found["label"], strict=True) if label is not None]
    names = sorted({label for _, label in labelled})
    if len(names) < 2:
        raise DataError(
            f"{WHO}: {len(names)} labels are in the store, at least 2 are expected.\n"
            "  Hint: labels come from class folders or a table path,label."
        )
    labels_by_id = {one: names.index(label) for one, label in labelled}
    vectors = store.vectors(where)
    vectors = vectors.only(np.array([int(one) in labels_by_id for one in vectors.ids]))
    labels = np.array([labels_by_id[int(one)] for one in vectors.ids])
    asked = np.unique(np.linspace(0, len(labels) - 1, min(samples, len(labels))).astype(int))
    unit = vectors.unit()
    rows = [quality("embedding", unit, labels, asked, ks, neighbours)]
    if expand:
        rows.append(quality(f"expanded by {expand}", unit, labels, asked, ks, neighbours, expand=expand))
    seen = pixel_vectors(store, vectors.ids) if pixels else None
    if seen is not None:
        rows.append(quality(f"{PIXEL_SIDE}×{PIXEL_SIDE} pixels", seen, labels, asked, ks, neighbours, euclidean=True))
    rows.append(chance(labels, asked, ks))
    return SearchEvaluation(tuple(rows), len(asked), len(labels) - 1, neighbours)


def quality(
    name: str,
    x: torch.Tensor,
    labels: np.ndarray,
    asked: np.ndarray,
    ks: tuple[int, ...],
    neighbours: int,
    *,
    expand: int = 0,
    euclidean: bool = False,
) -> Quality:
    """Every asked row against all others.

    Args:
        x: (rows, dims); compared by their inner product, or by their distance.
        expand: queries become the mean with so many nearest, themselves excluded from what they look among.
    Source: Manning, Raghavan & Schütze 2008, Introduction to Information Retrieval, §8.4.
    Example:
        >>> x = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [0.6, 0.8]])
        >>> found = quality("x", x, np.array([0, 0, 1, 1]), np.arange(4), (1,), 1)
        >>> round(found.mean_average_precision, 3), found.precision[1], found.knn_accuracy
        (0.75, 0.5, 0.5)
    """
    labels_ = torch.from_numpy(labels)
    others = torch.bincount(labels_)[labels_] - 1
    square = x.square().sum(1) if euclidean else None
    average, right, counted = 0.0, 0, 0
    precision, recall = dict.fromkeys(ks, 0.0), dict.fromkeys(ks, 0.0)
    ranks = torch.arange(1, len(x) + 1, dtype=torch.float32)
    for part in torch.from_numpy(asked).split(max(1, QUERY_VALUES // len(x))):
        rows = torch.arange(len(part))
        near = x[part] @ x.T if square is None else 2 * x[part] @ x.T - square
        near[rows, part] = -torch.inf
        if expand:
            cosines, places = near.topk(min(expand, len(x) - 1), 1)
            queries = x[part] + (cosines.clamp(min=0)[:, :, None] * x[places]).sum(1)
            near = torch.nn.functional.normalize(queries) @ x.T
            near[rows, part] = -torch.inf
        order = near.argsort(dim=1, descending=True, stable=True)[:, :-1]  # the last is the row itself
        relevant = (labels_[order] == labels_[part][:, None]).float()
        has = others[part] > 0
        found = relevant.cumsum(1)
        number = others[part].clamp(min=1)
        average += float(((found / ranks[:-1] * relevant).sum(1) / number)[has].sum())
        for k in ks:
            at = found[:, min(k, found.shape[1]) - 1]
            precision[k] += float((at / k)[has].sum())
            recall[k] += float((at / number)[has].sum())
        right += int((majority(labels_[order[:, :neighbours]]) == labels_[part]).sum())
        counted += int(has.sum())
    if not counted:
        raise DataError(f"{WHO}: no two samples have one label, so that there is nothing to find.")
    return Quality(
        name,
        average / counted,
        {k: total / counted for k, total in precision.items()},
        {k: total / counted for k, total in recall.items()},
        right / len(asked),
    )


def majority(nearest: torch.Tensor) -> torch.Tensor:
    """The most frequent label of each row (rows, neighbours); of equal ones the one that comes first."""
    votes = torch.nn.functional.one_hot(nearest).float()
    ranks = torch.arange(nearest.shape[1], dtype=torch.float32)
    first = (votes * 2.0 ** -(ranks.clamp(max=20) + 2)[:, None]).sum(1)  # together below one vote
    return (votes.sum(1) + first).argmax(1)


def chance(labels: np.ndarray, asked: np.ndarray, ks: tuple[int, ...]) -> Quality:
    """What an order that knows nothing reaches."""
    counts = np.bincount(labels)
    others = counts[labels[asked]] - 1
    others = others[others > 0]
    share = float((others / (len(labels) - 1)).mean())
    recall = {k: min(1.0, k / (len(labels) - 1)) for k in ks}
    return Quality("chance", share, dict.fromkeys(ks, share), recall, float(counts.max() / len(labels)))


def pixel_vectors(store: Store, ids: np.ndarray) -> torch.Tensor | None:
    """Every row's image at 32×32 pixels, flattened; None where one of them cannot be read any more."""
    from lenrek.search.page import Pictures

    if store.settings.data is None or not Path(store.settings.data).exists() or len(store.settings.contract.size) != 2:
        return None
    pictures = Pictures(store, PIXEL_SIDE)
    rows = store.table.take(ids.tolist(), ["path", "raw_path"])
    seen = [pictures.pixels(path) if (path := pictures.path_of(row)) is not None else None for row in rows]
    if any(one is None for one in seen):
        return None
    return torch.from_numpy(np.stack([one for one in seen if one is not None])).flatten(1).float() / 255
