"""A source: labelled samples found on disk or in memory, before anything is resized, split or trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from lenrek.models.contract import InputContract

Kind = Literal["image", "signal", "volume"]
NDIM: dict[Kind, int] = {"signal": 1, "image": 2, "volume": 3}  # spatial axes


@dataclass(frozen=True)
class Problem:
    """Something wrong with the data, said once and carried into the report.

    Attributes:
        kind: a short stable word: "damaged", "duplicate", "conflict", "skipped", "converted", "single", "note".
        message: a sentence a user understands, naming the file.
        samples: names of the samples concerned.
    """

    kind: str
    message: str
    samples: tuple[str, ...] = ()


class Reader(Protocol):
    """Reads sample `index` as the contract wants it; raises `DataError` when it cannot be read."""

    def read(self, index: int, contract: InputContract) -> np.ndarray:
        """One sample, shape (channels, *contract.size), dtype uint8, int16 or float32 (the same for all samples)."""
        ...


@dataclass
class Source:
    """Labelled samples with names, and how to read each.

    Attributes:
        name: what to call the data ("mnist", the folder's name).
        kind: one of image (2-D), signal (1-D), volume (3-D).
        reader: reads one sample.
        names: per sample what a user knows it by: a path relative to the source, or "train-images[17]".
        labels: int64, per sample, an index into `classes`.
        classes: names, sorted as documented by each source.
        channels: of the samples as they are stored (the most common, when they differ).
        sizes: (n, ndim) int64: native size of each sample; equal rows when all are alike.
        groups: per sample an id that must not be torn apart by a split (speaker, patient), or None.
        groups_declared: a column said so, so that splits keep groups together unless told otherwise.
        split: per sample "train", "validation", "test" or "" (not said), or None when the source says nothing at all.
        sample_rate_hz: signals only.
        problems: found while looking; grows as samples are decoded.
    """

    name: str
    kind: Kind
    reader: Reader
    names: Sequence[str]
    labels: np.ndarray
    classes: tuple[str, ...]
    channels: int
    sizes: np.ndarray
    groups: np.ndarray | None = None
    groups_declared: bool = False
    split: np.ndarray | None = None
    sample_rate_hz: int | None = None
    problems: list[Problem] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.labels)
