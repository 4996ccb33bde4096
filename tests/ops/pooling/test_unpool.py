"""Maxima put back."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from lenrek.errors import OptionError, ShapeError
from lenrek.ops.pooling import max_pool, max_unpool


@pytest.mark.parametrize("ndim", [1, 2, 3, 4])
def test_each_maximum_returns_to_its_place(ndim):
    size = (7, 5, 6, 4)[:ndim]
    x = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0)) + 1
    values, indices = max_pool(x, (2,) * ndim, return_indices=True)
    y = max_unpool(values, indices, size)
    kept = torch.zeros_like(x).flatten(2).scatter(2, indices.flatten(2), 1).reshape(x.shape).bool()
    assert kept.sum() == values.numel()
    assert torch.equal(y, torch.where(kept, x, 0))
    assert torch.equal(max_pool(y, (2,) * ndim), values)
    if ndim == 2:
        assert torch.equal(y, F.max_unpool2d(values, indices, 2, output_size=size))
    assert torch.equal(max_unpool(values[0], indices[0], size), y[0])


def test_what_does_not_fit_is_refused():
    x, indices = torch.zeros(1, 2, 3), torch.zeros(1, 2, 4, dtype=torch.int64)
    with pytest.raises(ShapeError) as raised:
        max_unpool(x, indices, (6,))
    assert str(raised.value) == "max_unpool: indices (1, 2, 4), expected the shape of x, (1, 2, 3): one for each."
    with pytest.raises(OptionError) as raised:
        max_unpool(x, indices[..., :3].int(), (6,))
    assert str(raised.value) == ("max_unpool: indices is torch.int32, expected torch.int64, as max_pool returns them.")
