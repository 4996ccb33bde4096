"""Spectral pooling: waves keep their shape, real stays real, and the even sizes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample

import oracles
from lenrek.errors import OptionError, ShapeError
from lenrek.ops.pooling import spectral_pool

SIZES = st.integers(1, 4).flatmap(
    lambda ndim: st.lists(st.tuples(st.integers(1, 6), st.integers(1, 7)), min_size=ndim, max_size=ndim)
)


@given(SIZES, st.booleans(), st.integers(0, 2**16))
@settings(max_examples=60, deadline=None)
def test_it_is_the_sum_of_waves_of_plain_loops(sizes, complex_, seed):
    in_size, out_size = zip(*sizes, strict=True)
    random = np.random.default_rng(seed)
    x = random.standard_normal((2, *in_size)) + (1j * random.standard_normal((2, *in_size)) if complex_ else 0)
    expected = np.stack([oracles.spectral_pool(channel, out_size) for channel in x])
    y = spectral_pool(torch.tensor(x), out_size)
    assert y.is_complex() == complex_
    np.testing.assert_allclose(y, expected if complex_ else expected.real, rtol=0, atol=1e-12)
    if not complex_:  # so it was right to give real numbers
        np.testing.assert_allclose(expected.imag, 0, rtol=0, atol=1e-12)
    np.testing.assert_allclose(y.mean(tuple(range(1, y.ndim))), x.mean(tuple(range(1, x.ndim))), rtol=0, atol=1e-12)


@pytest.mark.parametrize("n", [7, 8])
@pytest.mark.parametrize("m", [4, 5, 12, 13])
def test_along_one_axis_it_is_scipys_resample(n, m):
    x = np.random.default_rng(0).standard_normal((3, n))
    np.testing.assert_allclose(spectral_pool(torch.tensor(x), (m,)), resample(x, m, axis=1), rtol=0, atol=1e-14)


@pytest.mark.parametrize("in_size", [(11, 12), (12, 11)])
@pytest.mark.parametrize("out_size", [(7, 8), (8, 7), (20, 17), (7, 20)])
def test_waves_that_both_sizes_hold_are_resampled_exactly(in_size, out_size):
    def wave(size):
        h, w = (2 * np.pi * np.arange(n) / n for n in size)
        h, w = h[:, None], w[None, :]
        return 0.5 + np.cos(3 * h - 2 * w + 0.3) + np.sin(h + 3 * w) + np.cos(2 * w)

    y = spectral_pool(torch.tensor(wave(in_size))[None], out_size)
    np.testing.assert_allclose(y[0], wave(out_size), rtol=0, atol=1e-13)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize(("n", "m"), [(8, 12), (12, 8)])
def test_four_periods_in_eight_samples_are_both_waves(n, m, dtype, axis):
    def wave(size):
        along = torch.cos(4 * 2 * torch.pi * torch.arange(size, dtype=torch.float64) / size)
        return (along[:, None] + torch.arange(3.0) if axis == 0 else along + torch.arange(3.0)[:, None]).to(dtype)[None]

    out_size = (m, 3) if axis == 0 else (3, m)
    torch.testing.assert_close(spectral_pool(wave(n), out_size), wave(m), rtol=0, atol=1e-14)


def test_up_and_back_again_is_the_input():
    x = torch.randn(2, 6, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(spectral_pool(spectral_pool(x, (9, 8)), (5, 4)), x, rtol=0, atol=1e-14)


def test_the_same_size_is_a_copy():
    x = torch.randn(1, 2, 3)
    y = spectral_pool(x, (3,))
    assert torch.equal(x, y)
    assert x.data_ptr() != y.data_ptr()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_short_types_are_computed_in_float32(dtype):
    x = torch.rand(1, 2, 9, 8).to(dtype)
    assert torch.equal(spectral_pool(x, (4, 3)), spectral_pool(x.float(), (4, 3)).to(dtype))


@pytest.mark.parametrize(
    ("x", "size", "error", "message"),
    [
        (
            torch.zeros(1, 1, 3, dtype=torch.int64),
            2,
            OptionError,
            "spectral_pool: x is torch.int64, expected a floating or complex type.\n  Hint: pass x.float().",
        ),
        (torch.zeros(1, 1, 3), 0, OptionError, "spectral_pool: output_size (0,) is 0 on axis 0, expected at least 1."),
        (
            torch.zeros(1, 1, 0),
            2,
            ShapeError,
            "spectral_pool: x (1, 1, 0) has the size (0,), expected at least 1 sample on each axis.",
        ),
    ],
)
def test_what_cannot_be_is_refused(x, size, error, message):
    with pytest.raises(error) as raised:
        spectral_pool(x, size)
    assert str(raised.value) == message
