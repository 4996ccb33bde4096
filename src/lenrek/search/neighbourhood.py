"""What a collection's own neighbours tell: duplicates, images unlike all others, labels that their neighbours deny."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lenrek.errors import DataError, OptionError
from lenrek.search.evaluation import majority
from lenrek.search.exact import QUERY_ROWS

if TYPE_CHECKING:
    from lenrek.search.store import Store

NEAREST = 10  # that a group of near-duplicates is grown from: more than that are chained by each other


@dataclass(frozen=True)
class Group:
    """Rows that are the same.

    Attributes:
        paths: two or more, sorted.
        labels: of each.
        exact: their files are equal, byte for byte.
        similarity: the least cosine by which one of them was joined to the others; 1 where exact.
    """

    paths: tuple[str, ...]
    labels: tuple[str | None, ...]
    exact: bool
    similarity: float

    @property
    def conflicting(self) -> bool:
        """Whether they have different labels."""
        return len(set(self.labels)) > 1


@dataclass(frozen=True)
class Odd:
    """A row that its neighbours find odd.

    Attributes:
        score: of an outlier the mean cosine of its nearest; of a suspected label the share of its nearest that have
            another label, the same one.
        suggested: the label that they have; None for an outlier.
    """

    path: str
    label: str | None
    score: float
    suggested: str | None = None


def duplicates(store: Store, *, threshold: float = 0.95, where: str | None = None) -> list[Group]:
    """As `Store.duplicates`."""
    if not -1 <= threshold <= 1:
        raise OptionError(f"duplicates: threshold is {threshold}, expected a cosine, −1 to 1.")
    rows = store.table.read(["path", "label", "digest"], where)
    number = {one: place for place, one in enumerate(rows["_rowid"])}
    same: defaultdict[bytes, list[int]] = defaultdict(list)
    for place, digest in enumerate(rows["digest"]):
        same[digest].append(place)
    joined = list(range(len(number)))  # a forest: each points to one before it in its group
    least = [1.0] * len(number)
    for places in same.values():
        for place in places[1:]:
            _join(joined, least, places[0], place, 1.0)
    ids, nearest, cosines = _nearest_others(store, where, NEAREST)
    for row, near, by in zip(ids, nearest, cosines, strict=True):
        for other, cosine in zip(near, by, strict=True):
            if cosine >= threshold:
                _join(joined, least, number[int(row)], number[int(other)], float(cosine))
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for place in range(len(joined)):
        groups[_root(joined, place)].append(place)
    made = []
    for root, places in groups.items():
        if len(places) > 1:
            places.sort(key=lambda place: rows["path"][place])
            made.append(
                Group(
                    tuple(rows["path"][p] for p in places),
                    tuple(rows["label"][p] for p in places),
                    len({rows["digest"][p] for p in places}) == 1,
                    min(least[root], 1.0),
                )
            )
    return sorted(made, key=lambda group: (not group.exact, -group.similarity, group.paths))


def outliers(store: Store, count: int = 20, *, k: int = 5, where: str | None = None) -> list[Odd]:
    """As `Store.outliers`."""
    ids, _, cosines = _nearest_others(store, where, k)
    score = cosines.mean(1)
    chosen = np.argsort(score, kind="stable")[:count]
    rows = store.table.take(ids[chosen].tolist(), ["path", "label"])
    return [Odd(row["path"], row["label"], float(score[i])) for row, i in zip(rows, chosen, strict=True)]


def label_errors(store: Store, count: int = 20, *, k: int = 10, where: str | None = None) -> list[Odd]:
    """As `Store.label_errors`."""
    rows = store.table.read(["path", "label"], where)
    names = sorted({label for label in rows["label"] if label is not None})
    if len(names) < 2:
        raise DataError(f"label_errors: {len(names)} labels are in the store, at least 2 are expected.")
    about = {one: (path, label) for one, path, label in zip(rows["_rowid"], rows["path"], rows["label"], strict=True)}
    known = f"({where}) AND label IS NOT NULL" if where else "label IS NOT NULL"
    ids, nearest, _ = _nearest_others(store, known, k)
    numbers = {name: number for number, name in enumerate(names)}
    own = np.array([numbers[about[int(one)][1]] for one in ids])
    theirs = np.array([[numbers[about[int(one)][1]] for one in near] for near in nearest])
    said = majority(torch.from_numpy(theirs)).numpy()
    share = (theirs == said[:, None]).mean(1) * (said != own)
    chosen = [int(i) for i in np.argsort(-share, kind="stable")[:count] if share[i] > 0.5]
    return [Odd(*about[int(ids[i])], float(share[i]), names[said[i]]) for i in chosen]


def classify(store: Store, inputs: Any, *, k: int = 5, where: str | None = None) -> list[Any]:
    """As `Store.classify`."""
    from lenrek.training.classifier import Prediction

    known = f"({where}) AND label IS NOT NULL" if where else "label IS NOT NULL"
    names = sorted({label for label in store.table.read(["label"], known)["label"]})
    if not names:
        raise DataError("classify: no row of the store has a label.")
    made = []
    for hits in store.search(inputs, k, where=known):
        votes = dict.fromkeys(names, 0.0)
        for hit in hits:
            votes[str(hit.label)] += 1 / len(hits)
        best = max(votes.values())
        label = next(str(hit.label) for hit in hits if votes[str(hit.label)] == best)  # of equal ones the nearest
        made.append(Prediction(hits.query, label, best, votes))
    return made


def _nearest_others(store: Store, where: str | None, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ids of the rows, ids and cosines (rows, k) of the nearest others of each."""
    vectors = store.vectors(where)
    if len(vectors) < 2:
        raise DataError("the store holds fewer than 2 images, so that none has a neighbour.")
    ids, cosines = [], []
    for first in range(0, len(vectors), QUERY_ROWS):
        places, near = vectors.nearest(vectors.unit(first, QUERY_ROWS).numpy(), min(k + 1, len(vectors)))
        own = np.arange(first, first + len(places))[:, None]
        away = places != own
        away[away.all(1), -1] = False  # itself is not among them where others are equal: the last gives way
        ids.append(vectors.ids[places[away].reshape(len(places), -1)])
        cosines.append(near[away].reshape(len(places), -1))
    return vectors.ids, np.concatenate(ids), np.concatenate(cosines)


def _root(joined: list[int], place: int) -> int:
    while joined[place] != place:
        joined[place] = joined[joined[place]]
        place = joined[place]
    return place


def _join(joined: list[int], least: list[float], one: int, other: int, cosine: float) -> None:
    a, b = sorted((_root(joined, one), _root(joined, other)))
    if a != b:
        joined[b] = a
        least[a] = min(least[a], least[b], cosine)
