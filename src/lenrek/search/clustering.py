"""Unit vectors in groups of neighbours: spherical k-means."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

ROUNDS = 8
BLOCK_VALUES = 1 << 24  # cosines at once: 64 MiB


def cluster(x: Tensor, groups: int, *, rounds: int = ROUNDS, seed: int = 0) -> Tensor:
    """Centres (groups, dims), unit vectors, of rows that are alike.

    A group that no row chooses begins again at the row that is least like its own centre.

    Args:
        x: (rows, dims) float32 unit vectors, at least as many rows as groups.
    Source: Dhillon & Modha 2001, doi:10.1023/A:1007612920971, §3.
    Example: two directions, and what lies between.
        >>> angle = torch.tensor([0.0, 0.1, 0.2, 1.4, 1.5, 1.6])
        >>> centres = cluster(torch.stack([angle.cos(), angle.sin()], 1), 2)
        >>> sorted(round(a.item(), 3) for a in torch.atan2(centres[:, 1], centres[:, 0]))
        [0.1, 1.5]
    """
    by_chance = torch.Generator().manual_seed(seed)
    centres = x[torch.randperm(len(x), generator=by_chance)[:groups]].clone()
    for _ in range(rounds):
        chosen, likeness = assign(x, centres)
        total = torch.zeros_like(centres).index_add_(0, chosen, x)
        empty = (torch.bincount(chosen, minlength=groups) == 0).nonzero()[:, 0]
        total[empty] = x[likeness.topk(len(empty), largest=False).indices]
        centres = F.normalize(total)
    return centres


def assign(x: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    """For each row of `x` the centre it is most like (int64), and its cosine, a block at a time."""
    rows = max(1, BLOCK_VALUES // len(centres))
    found = [(block @ centres.T).max(dim=1) for block in x.split(rows)]
    if not found:
        return torch.empty(0, dtype=torch.int64), torch.empty(0)
    return torch.cat([one.indices for one in found]), torch.cat([one.values for one in found])
