"""Principal components of a collection: fewer numbers per vector, the common mean taken off, whitened or not."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

MOST_SAMPLES = 4096  # to fit: a few for each of some hundred directions are enough
SMALLEST_SHARE = 1e-7  # of the largest variance: a direction below it is rounding, and never enlarged


@dataclass(frozen=True)
class Projection:
    """y = (x − mean) · matrix, to unit length.

    Attributes:
        mean: (dims,), float32.
        matrix: (dims, kept), float32.
    """

    mean: Tensor
    matrix: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """(n, dims) to unit vectors (n, kept); a vector that is zero, which says nothing, stays zero."""
        projected = F.normalize((x - self.mean) @ self.matrix)
        return projected * (x != 0).any(dim=1, keepdim=True)


def fit_projection(x: Tensor, kept: int, whiten: float) -> Projection:
    """The directions of largest variance of `x` (n, dims), and at most as many as it has.

    Args:
        kept: directions.
        whiten: each is divided by its standard deviation to this power, 0 to 1.
    Source: Jégou & Chum 2012, doi:10.1007/978-3-642-33709-3_55, §3.
    Example: two numbers that are one.
        >>> x = torch.tensor([[0.5, 0.5], [1.0, 1.0], [1.5, 1.5]])
        >>> found = fit_projection(x, kept=2, whiten=0.0)
        >>> found.mean.tolist(), found.matrix.shape
        ([1.0, 1.0], torch.Size([2, 1]))
    """
    known = x.double()[(x != 0).any(dim=1)]
    if len(known) < 2:
        return Projection(torch.zeros(x.shape[1]), torch.eye(x.shape[1]))
    mean = known.mean(0)
    variance, directions = torch.linalg.eigh((known - mean).T @ (known - mean) / len(known))
    variance, directions = variance.flip(0), directions.flip(1)
    real = max(1, int((variance > SMALLEST_SHARE * variance[0]).sum()))
    variance, directions = variance[: min(kept, real)], directions[:, : min(kept, real)]
    # The sign is the linear algebra library's own affair: the largest number of each direction is made positive.
    directions = directions * directions.gather(0, directions.abs().argmax(0, keepdim=True)).sign()
    # Largest first and relative to it, so that nothing depends on how long vectors are.
    scale = (variance / variance[0].clamp(min=1e-30)).clamp(min=SMALLEST_SHARE).pow(-whiten / 2)
    return Projection(mean.float(), (directions * scale).float())
