"""Schedules against their closed forms."""

import math

import pytest

from lenrek.training.schedule import rate_factor


def test_onecycle_rises_for_a_quarter_and_falls_to_zero() -> None:
    factors = [rate_factor("onecycle", step, 4000) for step in range(4000)]
    assert factors.index(max(factors)) in (999, 1000)
    assert max(factors) == pytest.approx(1, abs=1e-3)
    assert factors[500] == pytest.approx(0.5, abs=1e-3)
    assert factors[2500] == pytest.approx(0.5, abs=1e-3)
    assert factors[-1] == pytest.approx(0, abs=1e-3)


def test_cosine_is_half_a_cosine() -> None:
    for step in (0, 7, 50, 99):
        assert rate_factor("cosine", step, 100) == pytest.approx((1 + math.cos(math.pi * (step + 0.5) / 100)) / 2)


def test_constant() -> None:
    assert {rate_factor("constant", step, 10) for step in range(10)} == {1.0}
