"""Average pooling against plain loops and PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from pooling_cases import cases
from torch.nn import functional as F

import oracles
from lenrek.errors import OptionError, ShapeError
from lenrek.ops.pooling import average_pool


@given(cases())
@settings(max_examples=60, deadline=None)
def test_means_are_those_of_plain_loops(case):
    arguments = (case.kernel, case.stride, case.sides, case.dilation, case.ceil_mode)
    x = torch.tensor(case.x, requires_grad=True)
    try:
        y = average_pool(x, *arguments, boundary=case.boundary)
    except ShapeError:  # every window fits, so it is one with none to choose from
        with pytest.raises(ZeroDivisionError):
            case.each(oracles.average_pool)
        return
    means, counts = case.each(oracles.average_pool)
    for ours in (y.detach(), average_pool(x.detach(), *arguments, boundary=case.boundary)):
        np.testing.assert_allclose(ours, means, rtol=0, atol=1e-14)
    if case.boundary in ("ignore", "zeros"):  # then the derivative of a sample is the sum of 1/count over its windows
        (gradient,) = torch.autograd.grad(y.sum(), x)
        expected = np.zeros_like(case.x)
        for position in np.ndindex(case.x.shape[2:]):
            one = np.zeros_like(case.x[0, 0])
            one[position] = 1
            expected[(slice(None), slice(None), *position)] = oracles.average_pool(one, *case[1:])[0].sum()
        np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-14)
        sums = average_pool(x.detach(), *arguments, boundary=case.boundary, divisor_override=2) * 2
        np.testing.assert_allclose(sums, means * counts, rtol=0, atol=1e-13)


@pytest.mark.parametrize("count_include_pad", [True, False])
@pytest.mark.parametrize("ceil_mode", [True, False])
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_without_dilation_it_is_pytorchs(ndim, ceil_mode, count_include_pad):
    x = torch.randn(2, 3, *(11, 10, 9)[:ndim], dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    kernel, stride, padding = (4, 3, 2)[:ndim], (3, 2, 4)[:ndim], (2, 1, 0)[:ndim]
    reference = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[ndim - 1](
        x, kernel, stride, padding, ceil_mode, count_include_pad
    )
    ours = average_pool(
        x, kernel, stride, padding, ceil_mode=ceil_mode, boundary="zeros" if count_include_pad else "ignore"
    )
    torch.testing.assert_close(ours, reference, rtol=0, atol=1e-14)


def test_windows_in_the_padding_alone_have_a_mean_and_a_derivative():
    x = torch.ones(1, 1, requires_grad=True)
    y = average_pool(x, (1,), 2, ((1, 0),), dilation=2)
    y.sum().backward()
    assert (y.tolist(), x.grad.tolist()) == ([[0]], [[0]])


def test_complex_numbers_have_means():
    x = torch.tensor([[1 + 2j, 3 - 4j, 5j]])
    assert average_pool(x, (2,), 1).tolist() == [[2 - 1j, 1.5 + 0.5j]]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_short_types_are_summed_precisely(dtype):
    x = torch.tensor([[1024.0, *[0.5] * 63]], dtype=dtype)  # one by one every half would be rounded away in bfloat16
    y = average_pool(x, (64,), dilation=1)
    assert (y.dtype, y.item()) == (dtype, torch.tensor((1024 + 31.5) / 64).to(dtype).item())


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"x": torch.zeros(1, 1, 3, dtype=torch.int64), "kernel_size": 2},
            OptionError,
            "average_pool: x is torch.int64, expected a floating or complex type.\n  Hint: pass x.float().",
        ),
        (
            {"x": torch.zeros(1, 1, 3), "kernel_size": 2, "divisor_override": 0},
            OptionError,
            "average_pool: divisor_override is 0, expected an integer other than 0.",
        ),
        (
            {"x": torch.zeros(1, 1, 3), "kernel_size": 1, "padding": 1, "boundary": "ignore"},
            ShapeError,
            "average_pool: on axis 0 window 0 reads [-1], but x has only the samples 0 to 2, so there is none in it.\n"
            "  Hint: pad less, or say what the padding holds: boundary=0.0.",
        ),
    ],
)
def test_what_cannot_be_is_refused(arguments, error, message):
    with pytest.raises(error) as raised:
        average_pool(**arguments)
    assert str(raised.value) == message
