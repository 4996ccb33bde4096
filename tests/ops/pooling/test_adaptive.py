"""Adaptive pooling against plain loops and PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

import oracles
from lenrek.errors import OptionError, ShapeError
from lenrek.ops.pooling import adaptive_average_pool, adaptive_max_pool

SIZES = st.integers(1, 4).flatmap(
    lambda ndim: st.lists(st.tuples(st.integers(1, 5), st.integers(1, 6)), min_size=ndim, max_size=ndim)
)


@given(SIZES, st.integers(0, 2**16))
@settings(max_examples=60, deadline=None)
def test_maxima_and_means_are_those_of_plain_loops(sizes, seed):
    in_size, out_size = zip(*sizes, strict=True)
    x = np.random.default_rng(seed).integers(-3, 3, in_size).astype(float)
    largest, mean = oracles.adaptive_pool(x, out_size, np.max), oracles.adaptive_pool(x, out_size, np.mean)
    for dtype in (torch.float64, torch.int64):  # PyTorch's own up to 3 axes, and ours
        y, indices = adaptive_max_pool(torch.tensor(x).to(dtype)[None], out_size, return_indices=True)
        assert y.dtype == dtype
        assert np.array_equal(y[0], largest)
        assert np.array_equal(x.reshape(-1)[indices[0].numpy()], largest)
    for dtype in (torch.float64, torch.complex128):
        y = adaptive_average_pool(torch.tensor(x).to(dtype)[None], out_size)
        np.testing.assert_allclose(y[0], mean, rtol=0, atol=1e-14)


def test_positions_without_pytorch_are_pytorchs():
    x = torch.randint(0, 4, (2, 3, 7, 5), generator=torch.Generator().manual_seed(0))
    values, indices = adaptive_max_pool(x, (3, 2), return_indices=True)
    expected, places = F.adaptive_max_pool2d(x.double(), (3, 2), return_indices=True)
    assert torch.equal(values, expected.long())
    assert torch.equal(indices, places)


def test_none_keeps_a_size():
    x = torch.arange(24.0).reshape(1, 2, 4, 3)
    assert torch.equal(adaptive_average_pool(x, None), x)
    assert adaptive_average_pool(x, (1, None)).tolist() == [[[[4.5, 5.5, 6.5]], [[16.5, 17.5, 18.5]]]]
    assert adaptive_max_pool(x, (None, 1)).flatten().tolist() == [2, 5, 8, 11, 14, 17, 20, 23]
    assert adaptive_max_pool(x[0], (1, 1)).flatten().tolist() == [11, 23]


@pytest.mark.parametrize("operation", [adaptive_max_pool, adaptive_average_pool])
def test_what_cannot_be_is_refused(operation):
    who = operation.__name__
    for x, size, error, message in (
        (torch.zeros(1, 2, 0), 1, ShapeError,
         f"{who}: x (1, 2, 0) has the size (0,), expected at least 1 sample on each axis."),
        (torch.zeros(1, 2, 3), (0,), OptionError, f"{who}: output_size (0,) is 0 on axis 0, expected at least 1."),
        (torch.zeros(2, 3), (1, 1), ShapeError,
         f"{who}: x (2, 3) has 2 axes, but output_size has 2 entries, "
         "expected 4: (batch, channels, *size), or 3 without the batch."),
    ):  # fmt: skip
        with pytest.raises(error) as raised:
            operation(x, size)
        assert str(raised.value) == message
