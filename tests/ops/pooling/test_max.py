"""Max-pooling against plain loops, PyTorch, and the worked example of a feature map."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from pooling_cases import cases
from torch.nn import functional as F

import oracles
from lenrek.errors import OptionError, ShapeError
from lenrek.ops.pooling import max_pool


def test_the_feature_map_of_a_corner_and_its_2x2_maxima():
    feature_map = torch.tensor(
        [
            [6, 8, 6, 3, 1, 0],
            [9, 13, 10, 5, 2, 0],
            [9, 14, 11, 6, 3, 0],
            [9, 13, 11, 6, 2, 0],
            [8, 13, 10, 5, 3, 0],
            [6, 7, 5, 3, 1, 0],
        ]
    )
    expected = [[13, 10, 2], [14, 11, 3], [13, 10, 3]]
    assert max_pool(feature_map[None, None], 2)[0, 0].tolist() == expected
    assert max_pool(feature_map[None].float(), (2, 2))[0].tolist() == expected


@given(cases())
@settings(max_examples=60, deadline=None)
def test_values_indices_and_gradient_are_those_of_plain_loops(case):
    arguments = (case.kernel, case.stride, case.sides, case.dilation, case.ceil_mode)
    x = torch.tensor(case.x, requires_grad=True)
    try:
        y = max_pool(x, *arguments, boundary=case.boundary)
    except ShapeError:  # every window fits, so it is one with none to choose from
        with pytest.raises(IndexError):
            case.each(oracles.max_pool)
        return
    values, places = case.each(oracles.max_pool)
    assert np.array_equal(y.detach(), values)
    assert np.array_equal(max_pool(x.detach(), *arguments, boundary=case.boundary), values)

    weight = np.random.default_rng(0).integers(1, 9, values.shape).astype(float)
    (gradient,) = torch.autograd.grad(y, x, torch.tensor(weight))
    expected = np.zeros((6, case.x[0, 0].size))
    for channel, (at, weights) in enumerate(zip(places.reshape(6, -1), weight.reshape(6, -1), strict=True)):
        for place, w in zip(at, weights, strict=True):
            if place >= 0:
                expected[channel, place] += w
    assert np.array_equal(gradient, expected.reshape(case.x.shape))

    if isinstance(case.boundary, str) and case.boundary != "zeros":
        also, indices = max_pool(x, *arguments, return_indices=True, boundary=case.boundary)
        assert np.array_equal(also.detach(), values)
        assert np.array_equal(indices, places)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64])
def test_integers_keep_their_type(dtype):
    x = torch.tensor([[3, 100, 2, 7, 5]], dtype=dtype)
    values, indices = max_pool(x, (2,), padding=1, return_indices=True)
    assert (values.dtype, values.tolist(), indices.tolist()) == (dtype, [[3, 100, 7]], [[0, 1, 3]])
    assert max_pool(x, (2,)).tolist() == [[100, 7]]
    assert max_pool(x, (2,), padding=((2, 0),), boundary=9).tolist() == [[9, 100, 7]]


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_nan_and_minus_infinity_are_pytorchs(ndim):
    """On all paths: PyTorch's own, and ours, which one more sample of padding on one side calls for."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(-2, 3, (2, 3, *(7, 6, 5)[:ndim]), generator=generator).double()
    x[torch.rand(x.shape, generator=generator) < 0.2] = torch.nan
    x[torch.rand(x.shape, generator=generator) < 0.5] = -torch.inf
    reference = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[ndim - 1]
    values, places = reference(x, 3, 2, 1, return_indices=True)
    sides = ((1, 2),) + ((1, 1),) * (ndim - 1)
    for padding in (1, sides):
        ours, indices = max_pool(x, (3,) * ndim, 2, padding, return_indices=True)
        window = (..., slice(0, values.shape[2]), *[slice(None)] * (ndim - 1))
        torch.testing.assert_close(ours[window], values, equal_nan=True, rtol=0, atol=0)
        assert torch.equal(indices[window], places)
        plain = max_pool(x, (3,) * ndim, 2, padding)[window]
        torch.testing.assert_close(plain, values, equal_nan=True, rtol=0, atol=0)


def test_among_equals_the_first_one_has_the_whole_derivative_on_every_path():
    for padding in (0, ((0, 1), (0, 0))):
        x = torch.ones(1, 4, 4, requires_grad=True)
        max_pool(x, (2, 2), padding=padding).sum().backward()
        assert x.grad[0].tolist() == [[1, 0, 1, 0], [0] * 4, [1, 0, 1, 0], [0] * 4]
    _, tangent = torch.func.jvp(
        lambda t: max_pool(t, (2, 2)), (torch.ones(1, 2, 2),), (torch.tensor([[[5.0, 1], [1, 1]]]),)
    )
    assert tangent.tolist() == [[[5.0]]]


def test_a_mirror_index_points_at_the_sample_it_shows():
    x = torch.tensor([[1.0, 9.0, 2.0, 3.0, 8.0, 4.0]])
    values, indices = max_pool(x, (2,), padding=2, boundary="reflect", return_indices=True)
    assert (values.tolist(), indices.tolist()) == ([[9, 9, 3, 8, 8]], [[1, 1, 3, 4, 4]])


def test_what_lies_beyond_the_padding_never_counts():
    x = torch.full((1, 5), -1.0)
    assert max_pool(x, (3,), 3, ((1, 0),), ceil_mode=True, boundary=-5.0).tolist() == [[-1, -1]]
    assert max_pool(x, (3,), 4, ((0, 0),), ceil_mode=True, boundary="zeros").tolist() == [[-1, -1]]
    assert max_pool(x, (2,), 2, ((0, 1),), boundary="zeros").tolist() == [[-1, -1, 0]]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"x": torch.zeros(1, 2), "kernel_size": 2},
            ShapeError,
            "max_pool: x (1, 2) has 2 axes, expected at least 3: (batch, channels, *size).\n"
            "  Hint: for x without a batch, kernel_size has one entry per pooled axis.",
        ),
        (
            {"x": torch.zeros(1, 2, 3), "kernel_size": (2, 2, 2)},
            ShapeError,
            "max_pool: x (1, 2, 3) has 3 axes, but kernel_size has 3 entries, "
            "expected 5: (batch, channels, *size), or 4 without the batch.",
        ),
        (
            {"x": torch.zeros(1, 1, 3), "kernel_size": 4},
            ShapeError,
            "max_pool: on axis 0 the window covers 1·(4 − 1) + 1 = 4 samples, but the padded input has 0 + 3 + 0 = 3.\n"
            "  Hint: give the input 1 more sample or as much padding, or make the kernel smaller.",
        ),
        (
            {"x": torch.zeros(1, 1, 3), "kernel_size": 2, "padding": ((0, 3),), "stride": 1},
            ShapeError,
            "max_pool: on axis 0 window 3 reads [3, 4], but x has only the samples 0 to 2, so there is none in it.\n"
            "  Hint: pad less, or say what the padding holds: boundary=0.0.",
        ),
        (
            {"x": torch.zeros(1, 1, 2), "kernel_size": 2, "padding": 1, "dilation": 3},
            ShapeError,
            "max_pool: on axis 0 window 0 reads [-1, 2], but x has only the samples 0 to 1, so there is none in it.\n"
            "  Hint: pad less, or say what the padding holds: boundary=0.0.",
        ),
        (
            {"x": torch.zeros(1, 1, 3, dtype=torch.complex64), "kernel_size": 2},
            OptionError,
            "max_pool: x is torch.complex64, expected a floating or integer type.\n  Hint: pass x.abs().",
        ),
        (
            {"x": torch.zeros(1, 1, 3, dtype=torch.bool), "kernel_size": 2},
            OptionError,
            "max_pool: x is torch.bool, expected a floating or integer type.\n  Hint: pass x.to(torch.uint8).",
        ),
        (
            {"x": torch.zeros(1, 1, 3), "kernel_size": 2, "padding": 1, "boundary": "zeros", "return_indices": True},
            OptionError,
            "max_pool: boundary is 'zeros' and return_indices is True, but a constant outside x has no position "
            "in it.\n"
            '  Hint: boundary="ignore" chooses among the samples of x only.',
        ),
        (
            {"x": torch.zeros(1, 1, 3, dtype=torch.uint8), "kernel_size": 2, "padding": 1, "boundary": -1},
            OptionError,
            "max_pool: boundary is -1, but x is torch.uint8, expected an integer from 0 to 255.",
        ),
        (
            {"x": torch.zeros(1, 1, 3), "kernel_size": 2, "boundary": "ignored"},
            OptionError,
            "max_pool: boundary is 'ignored', expected one of zeros, reflect, symmetric, replicate, circular, ignore, "
            'or a number.\n  Hint: did you mean "ignore"?',
        ),
    ],
)
def test_what_cannot_be_is_refused(arguments, error, message):
    with pytest.raises(error) as raised:
        max_pool(**arguments)
    assert str(raised.value) == message
