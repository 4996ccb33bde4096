"""What lies outside: against NumPy's pad and the oracle's walk, with its adjoint, gradients and errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import oracles
from lenrek.errors import OptionError, ShapeError
from lenrek.ops import pad
from lenrek.ops.boundary import extend_adjoint

NUMPY = {"reflect": "reflect", "symmetric": "symmetric", "replicate": "edge", "circular": "wrap", "zeros": "constant"}


@st.composite
def padded(draw):
    """(boundary, x, sides), the mirrors as wide as they may be."""
    boundary = draw(st.sampled_from([*NUMPY, 0.75]))
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    sides = []
    for n in sizes:
        most = {"reflect": n - 1, "symmetric": n}.get(boundary, 3 * n)
        sides.append((draw(st.integers(0, most)), draw(st.integers(0, most))))
    leading = draw(st.sampled_from([(), (2,), (2, 3)]))
    numbers = np.random.default_rng(draw(st.integers(0, 1000)))
    return boundary, torch.from_numpy(numbers.standard_normal((*leading, *sizes))), tuple(sides)


@settings(max_examples=150, deadline=None)
@given(padded())
def test_it_is_numpys_and_the_oracles(case):
    boundary, x, sides = case
    y = pad(x, sides, boundary)
    full = ((0, 0),) * (x.ndim - len(sides)) + sides
    if boundary == 0.75:
        expected = np.pad(x.numpy(), full, constant_values=0.75)
    else:
        expected = np.pad(x.numpy(), full, mode=NUMPY[boundary])
    np.testing.assert_array_equal(y.numpy(), expected)
    first = x.ndim - len(sides)
    for position in np.ndindex(*y.shape[first:]):
        outside = tuple(p - before for p, (before, _) in zip(position, sides, strict=True))
        np.testing.assert_array_equal(y.numpy()[(..., *position)], oracles.sample(x.numpy(), outside, boundary))


@settings(max_examples=100, deadline=None)
@given(padded())
def test_the_adjoint_folds_back(case):
    boundary, x, sides = case
    x = x.requires_grad_()
    y = pad(x, sides, boundary)
    v = torch.cos(torch.arange(y.numel(), dtype=y.dtype)).reshape(y.shape)
    (expected,) = torch.autograd.grad(y, x, v)
    torch.testing.assert_close(extend_adjoint(v, sides, boundary, "test"), expected)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool, torch.complex64, torch.bfloat16])
@pytest.mark.parametrize("boundary", ["reflect", "symmetric", "replicate", "circular", "zeros"])
def test_every_type_is_kept(dtype, boundary):
    x = torch.tensor([1, 0, 1, 1]).to(dtype)
    y = pad(x, [(2, 1)], boundary)
    assert y.dtype == dtype
    expected = np.pad(x.real.float().numpy(), (2, 1), mode=NUMPY[boundary])
    np.testing.assert_array_equal(y.real.float().numpy(), expected)


def test_nothing_is_copied_where_nothing_is_added():
    x = torch.zeros(2, 3)
    assert pad(x, [0, (0, 0)], "circular") is x


@pytest.mark.parametrize(
    ("padding", "boundary", "error", "message"),
    [
        ([(1, 4)], "reflect", ShapeError,
         'pad: on axis 0 padding (1, 4) with boundary="reflect" needs at least as many samples to mirror, but 4 '
         "samples give 4 − 1 = 3.\n"
         '  Hint: boundary="circular" and boundary="replicate" reach as far as wanted.'),
        ([(5, 0)], "symmetric", ShapeError,
         'pad: on axis 0 padding (5, 0) with boundary="symmetric" needs at least as many samples to mirror, but 4 '
         "samples give 4.\n"
         '  Hint: boundary="circular" and boundary="replicate" reach as far as wanted.'),
        ([1, 1], "zeros", ShapeError, "pad: padding (1, 1) is for 2 axes, but x has 1."),
        (2, "zeros", ShapeError, "pad: padding 2 does not say for how many axes, expected one entry per axis."),
        ([1], "mirror", OptionError,
         "pad: boundary is 'mirror', expected one of zeros, reflect, symmetric, replicate, circular, or a number."),
        ([1], True, OptionError,
         "pad: boundary is True, expected one of zeros, reflect, symmetric, replicate, circular, or a number."),
        ([1], 0.5, OptionError, "pad: boundary is 0.5, but x is torch.uint8, expected an integer from 0 to 255."),
        ([1], 300, OptionError, "pad: boundary is 300, but x is torch.uint8, expected an integer from 0 to 255."),
    ],
)  # fmt: skip
def test_errors(padding, boundary, error, message):
    with pytest.raises(error) as caught:
        pad(torch.zeros(4, dtype=torch.uint8), padding, boundary)
    assert str(caught.value) == message
