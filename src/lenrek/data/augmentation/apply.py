"""A policy applied to a batch: moved once, recoloured once, and only then what touches single samples."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from lenrek.data.augmentation import pixels
from lenrek.data.augmentation.colours import COLOURS, VALUES, recoloured
from lenrek.data.augmentation.drawn import Drawn
from lenrek.data.augmentation.policy import Policy
from lenrek.data.augmentation.shifting import move
from lenrek.data.augmentation.spatial import maps
from lenrek.data.augmentation.transforms import FLIPS, RESAMPLING
from lenrek.data.normalise import FULL_SCALE
from lenrek.errors import OptionError, ShapeError

LIMITS = {torch.uint8: (0, 255), torch.int16: (-32768, 32767)}


class Others(Protocol):
    """Where samples to superimpose come from."""

    @property
    def index(self) -> np.ndarray:
        """Those there are, as source indices; the same for any batch, so that the choice is."""
        ...

    def fetch(self, index: np.ndarray) -> tuple[Tensor, np.ndarray]:
        """(found, channels, *size), and which of `index`, (found,), these are: some may not be readable."""
        ...


class OfBatch:
    """The samples of the batch itself."""

    def __init__(self, x: Tensor, index: np.ndarray) -> None:
        self.x, self.index = x, index

    def fetch(self, index: np.ndarray) -> tuple[Tensor, np.ndarray]:
        place = {one: number for number, one in enumerate(self.index.tolist())}
        return self.x[[place[one] for one in index.tolist()]], index


def drawn_for(
    policy: Policy,
    channels: int,
    size: tuple[int, ...],
    index: np.ndarray,
    seed: int,
    epoch: int,
    labels: np.ndarray | Tensor | None,
    classes: tuple[str, ...],
) -> Drawn:
    """What happens to each sample of a batch."""
    drawn = Drawn(index, seed, epoch)
    if not policy.rules:
        drawn.add(policy.fitted(channels, size), np.arange(len(index)))
        return drawn
    if labels is None or not classes:
        raise OptionError(
            f"augmentation {policy}: its rules are for classes, so that labels and the classes' names are needed."
        )
    policy.check(channels, size, classes)
    labels = np.asarray(labels)
    for label in np.unique(labels).tolist():
        drawn.add(policy.fitted(channels, size, classes[label]), np.flatnonzero(labels == label))
    return drawn


def apply_policy(
    policy: Policy,
    x: Tensor,
    index: np.ndarray,
    seed: int,
    epoch: int,
    labels: np.ndarray | Tensor | None,
    classes: tuple[str, ...],
    others: Others | None,
) -> Tensor:
    """`Policy.apply`."""
    if x.dtype not in FULL_SCALE:
        known = ", ".join(str(dtype).removeprefix("torch.") for dtype in FULL_SCALE)
        raise ShapeError(f"augmentation: x is {str(x.dtype).removeprefix('torch.')}, but one of {known} is expected.")
    drawn = drawn_for(policy, x.shape[1], tuple(x.shape[2:]), index, seed, epoch, labels, classes)
    if not drawn.amount or not len(x):
        return x
    y = moved(x, drawn, policy)
    if any(name in drawn for name in (*VALUES, *COLOURS)):
        scale = FULL_SCALE[x.dtype]
        y = recoloured(y.contiguous() if y is not x else y.clone(memory_format=torch.contiguous_format), drawn, scale)
        if y.dtype != x.dtype:
            y = _stored(y, x.dtype)
    for name, change in pixels.BEFORE.items():
        y = _changed(y, x, drawn, name, change)
    if "superimpose" in drawn:
        y = _superimposed(y, x, drawn, others or OfBatch(x, index))
    for name, change in pixels.AFTER.items():
        y = _changed(y, x, drawn, name, change)
    return y


def moved(x: Tensor, drawn: Drawn, policy: Policy) -> Tensor:
    """x (batch, channels, *size), moved as the geometric transforms say; `x` itself where there are none."""
    boundary = "replicate" if policy.boundary is None else policy.boundary
    if any(name in drawn for name in RESAMPLING):
        interpolation = policy.interpolation or "linear"
        return maps(drawn, tuple(x.shape[2:])).samples(x, boundary, interpolation)  # type: ignore[arg-type]
    return move(x, drawn, boundary) if any(name in drawn for name in ("shift", *FLIPS)) else x


def _changed(y: Tensor, x: Tensor, drawn: Drawn, name: str, change: pixels.Change) -> Tensor:
    """y after one more transform, in a memory that is not x's."""
    if name not in drawn:
        return y
    on = drawn.on(name)
    which = torch.from_numpy(on)
    if y is x:
        y = x.clone()
    y[which] = _stored(change(y[which].float() / FULL_SCALE[x.dtype], drawn, on), x.dtype)
    return y


def _stored(y: Tensor, dtype: torch.dtype) -> Tensor:
    """Floats of full scale 1 as the type of the samples."""
    if dtype not in LIMITS:
        return y
    low, high = LIMITS[dtype]
    return (y * FULL_SCALE[dtype]).add_(0.5).floor_().clamp_(low, high).to(dtype)


def _superimposed(y: Tensor, x: Tensor, drawn: Drawn, others: Others) -> Tensor:
    """Some of another sample, as it is stored, over each."""
    on = np.flatnonzero(drawn.on("superimpose"))
    chosen = others.index[(drawn.uniform("superimpose", 1)[on] * len(others.index)).astype(np.int64)]
    distinct = np.unique(chosen)
    found, which = others.fetch(distinct)
    place = dict(zip(which.tolist(), range(len(which)), strict=True))
    pairs = [(a, place[b]) for a, b in zip(on.tolist(), chosen.tolist(), strict=True) if b in place]
    if not pairs:
        return y
    first, second = (torch.tensor(column) for column in zip(*pairs, strict=True))
    part = torch.from_numpy(drawn.positive("superimpose")).float()[first].reshape(-1, *[1] * (x.ndim - 1))
    scale = FULL_SCALE[x.dtype]
    mixed = (1 - part) * (y[first].float() / scale) + part * (found[second].float() / scale)
    if y is x:
        y = x.clone()
    y[first] = _stored(mixed, x.dtype)
    return y
