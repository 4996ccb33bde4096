"""Norms and any reducer against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pooling_cases import BOUNDARIES, cases

import oracles
from lenrek.errors import OptionError
from lenrek.ops.pooling import lp_pool, max_pool, pool


@given(cases(boundaries=BOUNDARIES[1:]), st.sampled_from([1, 1.5, 2, 3, np.inf]))
@settings(max_examples=50, deadline=None)
def test_norms_are_those_of_plain_loops(case, norm_type):
    y = lp_pool(
        torch.tensor(case.x), norm_type, case.kernel, case.stride, case.sides, case.dilation, case.ceil_mode,
        boundary=case.boundary,
    )  # fmt: skip
    expected = case.each(lambda channel, *rest: oracles.lp_pool(channel, norm_type, *rest))
    np.testing.assert_allclose(y, expected, rtol=1e-13, atol=0)


def test_negative_samples_count_with_an_odd_norm_and_a_window_of_zeros_has_a_derivative():
    x = torch.tensor([[-1.0, 1.0, 0.0, 0.0]], requires_grad=True)
    y = lp_pool(x, 3, (2,))
    assert y.tolist() == [[pytest.approx(2 ** (1 / 3)), 0]]
    y.sum().backward()
    assert x.grad.tolist() == [[pytest.approx(-(2 ** (-2 / 3))), pytest.approx(2 ** (-2 / 3)), 0, 0]]


def test_a_negative_boundary_counts_by_its_size():
    x = torch.tensor([[3.0, -4.0]])
    assert lp_pool(x, float("inf"), (2,), padding=1, boundary=-12.0).tolist() == [[12, 12]]
    assert lp_pool(x, 1, (2,), padding=1, boundary=-12.0).tolist() == [[15, 16]]


def test_the_norm_of_complex_numbers_is_real():
    assert lp_pool(torch.tensor([[3 + 4j, 12j]]), 2, (2,)).tolist() == [[13.0]]


@given(cases(boundaries=BOUNDARIES[1:], ceil_modes=[False]))
@settings(max_examples=40, deadline=None)
def test_a_reducer_sees_every_sample_of_a_window_in_row_major_order(case):
    def weighted(windows, dim):
        return (windows * torch.arange(1.0, windows.shape[dim] + 1, dtype=windows.dtype)).sum(dim)

    def loops(samples, _):
        return sum(value * (i + 1) for i, value in enumerate(samples)), 0

    y = pool(
        torch.tensor(case.x), case.kernel, weighted, case.stride, case.sides, case.dilation, boundary=case.boundary
    )
    expected = case.each(lambda channel, *rest: oracles.pooled(channel, *rest, loops))[0]
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-12)


def test_reducers_of_pytorch():
    x = torch.randn(2, 3, 9, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(pool(x, (3, 2), torch.amax), max_pool(x, (3, 2)))
    padded = torch.nn.functional.pad(x, (1, 1))
    torch.testing.assert_close(pool(x, (9, 10), torch.std, padding=(0, 1))[..., 0, 0], padded.std((2, 3)))


@pytest.mark.parametrize(
    ("reduce", "given_", "hint"),
    [
        (
            torch.median,
            "a median",
            "\n  Hint: it gives indices too: take its .values, as lambda w, dim: w.median(dim).values.",
        ),
        (lambda w, dim: w, "a tensor (1, 1, 2, 2)", ""),
    ],
)
def test_a_reducer_that_does_not_reduce_is_refused(reduce, given_, hint):
    with pytest.raises(OptionError) as raised:
        pool(torch.zeros(1, 1, 4), 2, reduce)
    assert str(raised.value) == f"pool: reduce gave {given_}, expected a tensor (1, 1, 2): one number per window.{hint}"


@pytest.mark.parametrize("norm_type", [0, 0.5, -1, "2", float("nan")])
def test_what_is_no_norm_is_refused(norm_type):
    with pytest.raises(OptionError) as raised:
        lp_pool(torch.zeros(1, 1, 4), norm_type, 2)
    assert str(raised.value) == f"lp_pool: norm_type is {norm_type!r}, expected a number of at least 1."
