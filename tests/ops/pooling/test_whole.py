"""Global pooling: values, shapes and the derivative among equals."""

from __future__ import annotations

import pytest
import torch

from lenrek.errors import OptionError, ShapeError
from lenrek.ops.pooling import global_average_pool, global_max_pool


@pytest.mark.parametrize("ndim", [1, 2, 3, 4])
def test_one_number_per_channel(ndim):
    x = torch.arange(2.0 * 3 * 3**ndim).reshape(2, 3, *[3] * ndim)
    flat = x.reshape(2, 3, -1)
    ones = (2, 3, *[1] * ndim)
    for given in (x, x.clone().requires_grad_()):
        assert torch.equal(global_max_pool(given), flat[..., -1])
        assert torch.equal(global_average_pool(given), flat[..., flat.shape[-1] // 2])
        assert torch.equal(global_max_pool(given, keepdim=True), flat[..., -1].reshape(ones))
        assert global_average_pool(given, keepdim=True).shape == ones


def test_among_equals_the_first_one_has_the_whole_derivative():
    x = torch.tensor([[[[1.0, 5.0], [5.0, 5.0]]]], requires_grad=True)
    global_max_pool(x).backward()
    assert x.grad.tolist() == [[[[0, 1], [0, 0]]]]


def test_types():
    assert global_max_pool(torch.tensor([[[3, 7]]], dtype=torch.uint8)).dtype == torch.uint8
    assert global_average_pool(torch.tensor([[[1 + 1j, 3j]]])).tolist() == [[0.5 + 2j]]
    with pytest.raises(OptionError) as raised:
        global_average_pool(torch.tensor([[[3, 7]]]))
    assert str(raised.value) == (
        "global_average_pool: x is torch.int64, expected a floating or complex type.\n  Hint: pass x.float()."
    )


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 0)])
def test_nothing_to_pool_over_is_refused(shape):
    with pytest.raises(ShapeError) as raised:
        global_max_pool(torch.zeros(shape))
    assert str(raised.value) == (
        f"global_max_pool: x {shape}, expected (batch, channels, *size) with at least 1 axis after the channels, "
        "and at least 1 sample on each."
    )
