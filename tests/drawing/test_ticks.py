"""Ticks enclose their data, are round, equally spaced and few."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lenrek.drawing.ticks import integer_ticks, linear_ticks, log_ticks


def is_round(value: float) -> bool:
    """1, 2 or 5 times a power of ten."""
    mantissa = value / 10 ** math.floor(math.log10(value) + 1e-9)
    return min(abs(mantissa - nice) for nice in (1, 2, 5)) < 1e-6


@given(low=st.floats(-1e4, 1e4), span=st.floats(1e-3, 1e5))
def test_linear_ticks_enclose_in_equal_round_steps(low, span):
    ticks = linear_ticks(low, low + span)
    step = ticks[1] - ticks[0]
    assert 2 <= len(ticks) <= 7
    assert ticks[0] <= low + 1e-6 * step
    assert ticks[-1] >= low + span - 1e-6 * step
    assert is_round(step)
    assert [b - a for a, b in pairwise(ticks)] == pytest.approx([step] * (len(ticks) - 1))
    assert ticks[0] + step > low - 1e-6 * step  # none to spare below
    assert ticks[-1] - step < low + span + 1e-6 * step  # nor above


def test_linear_ticks_by_hand():
    assert linear_ticks(0.0, 1.0) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert linear_ticks(-3, 7) == [-5.0, 0.0, 5.0, 10.0]
    assert linear_ticks(0.0, 0.0)[0] < 0 < linear_ticks(0.0, 0.0)[-1]


@given(low=st.floats(1e-8, 1e3), factor=st.floats(1.5, 1e9))
def test_log_ticks_enclose_and_are_round(low, factor):
    ticks = log_ticks(low, low * factor)
    assert ticks[0] <= low
    assert ticks[-1] >= low * factor * (1 - 1e-12)
    assert all(is_round(tick) for tick in ticks)
    assert ticks == sorted(set(ticks))
    assert len(ticks) <= 20


@given(first=st.integers(1, 50), more=st.integers(0, 5000))
def test_integer_ticks_start_at_the_first_epoch_and_stay_few(first, more):
    ticks = integer_ticks(first, first + more)
    assert ticks[0] == first
    assert ticks == sorted(set(ticks))
    assert ticks[-1] <= first + more
    assert len(ticks) <= 11
