"""Stochastic pooling: what is drawn, how often, and what the mean is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from pooling_cases import BOUNDARIES, cases

import oracles
from lenrek.errors import OptionError
from lenrek.ops.pooling import stochastic_pool


def test_the_worked_example_of_the_paper():
    """Figure 1: activations 1.6, 0, 0; 0, 0, 0; 0, 0, 2.4 have the probabilities 0.4 and 0.6."""
    x = torch.tensor([[[1.6, 0, 0], [0, 0, 0], [0, 0, 2.4]]], dtype=torch.float64)
    torch.testing.assert_close(stochastic_pool(x, (3, 3), training=False), x.new_tensor([[[0.4 * 1.6 + 0.6 * 2.4]]]))
    many = x.expand(20_000, 1, 3, 3)
    drawn = stochastic_pool(many, 3, training=True, generator=torch.Generator().manual_seed(0))
    assert set(drawn.unique().tolist()) == {1.6, 2.4}
    assert (drawn == 2.4).double().mean().item() == pytest.approx(0.6, abs=4 * (0.6 * 0.4 / 20_000) ** 0.5)


@given(cases(boundaries=BOUNDARIES[1:], ceil_modes=[False]))
@settings(max_examples=40, deadline=None)
def test_the_mean_is_that_of_plain_loops_and_a_draw_is_one_of_the_window(case):
    def mean(samples, _):
        activations = [max(value, 0) for value in samples]
        total = sum(activations)
        return sum(a * a / total for a in activations) if total else 0.0, 0

    def members(samples, _):
        return sum({2.0 ** max(value, 0) for value in samples if value > 0}) or 1.0, 0  # a set of values as one number

    x = torch.tensor(case.x)
    arguments = (case.kernel, case.stride, case.sides, case.dilation)
    y = stochastic_pool(x, *arguments, training=False, boundary=case.boundary)
    expected = case.each(lambda channel, *rest: oracles.pooled(channel, *rest, mean))[0]
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-14)
    drawn = stochastic_pool(x, *arguments, training=True, boundary=case.boundary).numpy()
    possible = case.each(lambda channel, *rest: oracles.pooled(channel, *rest, members))[0]
    assert np.all(possible.astype(int) & (2 ** np.rint(drawn)).astype(int))


def test_the_derivative_is_1_at_the_sample_drawn():
    x = torch.tensor([[0.0, 3.0, -1.0, -2.0, 2.0, 2.0]], requires_grad=True)
    y = stochastic_pool(x, (2,), training=True)
    y.sum().backward()
    assert y.tolist() == [[3, 0, 2]]
    assert x.grad[0, :4].tolist() == [0, 1, 0, 0]
    assert sorted(x.grad[0, 4:].tolist()) == [0, 1]


def test_the_same_generator_draws_the_same():
    x = torch.rand(4, 3, 8, 8)
    first, again, other = (
        stochastic_pool(x, 2, training=True, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_window_without_probabilities_gives_nan(training, value):
    assert stochastic_pool(torch.tensor([[1.0, value, 1.0, 1.0]]), (2,), training=training).isnan().tolist() == [
        [True, False]
    ]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_short_types_are_summed_precisely(dtype):
    x = torch.full((1, 1, 4096), 100.0, dtype=dtype)  # the sum of the squares overflows in float16
    for training in (True, False):
        y = stochastic_pool(x, 4096, training=training)
        assert (y.dtype, y.item()) == (dtype, 100)


def test_integers_are_refused():
    with pytest.raises(OptionError) as raised:
        stochastic_pool(torch.ones(1, 1, 4, dtype=torch.int64), 2, training=True)
    assert str(raised.value) == "stochastic_pool: x is torch.int64, expected a floating type.\n  Hint: pass x.float()."


def test_a_random_number_of_exactly_0_draws_no_activation_of_0(monkeypatch):
    monkeypatch.setattr(torch, "rand", lambda shape, dtype, **_: torch.zeros(shape, dtype=dtype))
    assert stochastic_pool(torch.tensor([[0.0, 3.0, 0.0, 0.0]]), (2,), training=True).tolist() == [[3, 0]]
