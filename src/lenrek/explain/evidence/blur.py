"""A blurred copy of samples: what is left of them when details are gone."""

from __future__ import annotations

import torch
from torch import Tensor

SHARE = 5 / 224  # of an axis: the standard deviation in pixels that RISE takes for 224
LEAST = 3.0  # samples: of small images less would leave everything to be seen
REACH = 3  # standard deviations


def blurred(x: Tensor) -> Tensor:
    """(batch, channels, *size) under a Gaussian of a standard deviation of 5/224 of each axis, at least 3 samples.

    At the borders the weights of what exists sum to 1.

    >>> blurred(torch.ones(1, 1, 6)).sum()
    tensor(6.)
    """
    for axis in range(2, x.ndim):
        n = x.shape[axis]
        sd = max(LEAST, n * SHARE)
        places = torch.arange(n, dtype=torch.float64)
        distance = (places[:, None] - places).abs() / sd
        weights = torch.exp(-(distance**2) / 2) * (distance <= REACH)
        weights = (weights / weights.sum(1, keepdim=True)).to(x)
        x = (x.movedim(axis, -1) @ weights.T).movedim(-1, axis)
    return x
