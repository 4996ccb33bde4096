"""Transposed windows against PyTorch's shapes and gradients, and against the forward windows they are adjoint to."""

from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from lenrek.errors import OptionError, ShapeError
from lenrek.geometry import output_size, transposed_output_size, transposed_windows, windows

CONV_TRANSPOSE = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d}


@st.composite
def layers(draw, ndim):
    """in_size, kernel_size, stride, dilation, padding and output_padding, unequal from axis to axis."""

    def unequal(least, most):
        return tuple(draw(st.lists(st.integers(least, most), min_size=ndim, max_size=ndim, unique=True)))

    stride, dilation = unequal(1, 4), unequal(1, 4)
    extra = tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True))
    return unequal(1, 6), unequal(1, 5), stride, dilation, unequal(0, 4), extra


def test_the_worked_example_backwards():
    assert transposed_output_size((3, 2), (3, 5), stride=(2, 2), padding=(2, 1)) == (3, 5)


@pytest.mark.parametrize("ndim", [1, 2, 3])
@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_the_shape_is_pytorch_s(ndim, data):
    in_size, kernel_size, stride, dilation, padding, extra = data.draw(layers(ndim))
    arguments = {"stride": stride, "padding": padding, "dilation": dilation, "output_padding": extra}
    try:
        x, weight = torch.zeros(1, 1, *in_size), torch.zeros(1, 1, *kernel_size)
        theirs = CONV_TRANSPOSE[ndim](x, weight, **arguments).shape[2:]
    except RuntimeError:
        theirs = (0,)
    if 0 in theirs:  # PyTorch returns such outputs, which hold nothing; we refuse them
        with pytest.raises(ShapeError):
            transposed_output_size(in_size, kernel_size, **arguments)
    else:
        assert transposed_output_size(in_size, kernel_size, **arguments) == theirs


@given(layers(2))
def test_the_forward_layer_leads_back_to_the_input(layer):
    in_size, kernel_size, stride, dilation, padding, extra = layer
    sides = tuple((before, before // 2) for before in padding)
    arguments = {"stride": stride, "padding": sides, "dilation": dilation}
    extra = tuple(e % s for e, s in zip(extra, stride, strict=True))
    try:
        found = transposed_windows(in_size, kernel_size, output_padding=extra, **arguments)
    except ShapeError:
        return
    out_size = tuple(window.out_size for window in found)
    forward = windows(out_size, kernel_size, **arguments)
    assert tuple(window.forward for window in found) == forward
    assert transposed_windows(in_size, kernel_size, output_size=out_size, **arguments) == found
    for window, ahead in zip(found, forward, strict=True):
        for i in range(window.in_size):
            assert [p for p in ahead.reads(i) if 0 <= p < window.out_size] == list(window.read_by(i))
            assert window.centre(0) + window.step * ahead.centre(i) == i


@pytest.mark.parametrize("name", ["valid", "same", "same_lower", "full", "causal"])
def test_a_named_padding_is_that_of_the_forward_layer(name):
    arguments = {"stride": (3, 2), "dilation": (1, 2), "padding": name}
    in_size = output_size((11, 14), (4, 3), **arguments)
    assert transposed_output_size(in_size, (4, 3), output_size=(11, 14), **arguments) == (11, 14)


@given(layers(1))
@settings(deadline=None, max_examples=60)
def test_a_gradient_reaches_exactly_the_samples_read(layer):
    (n,), (k,), (s,), (d,), (padding,), (extra,) = layer
    try:
        (window,) = transposed_windows((n,), k, stride=s, padding=padding, dilation=d, output_padding=extra)
    except ShapeError:
        return
    weight = torch.ones(1, 1, k, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(
        lambda x: functional.conv_transpose1d(
            x, weight, stride=s, padding=padding, dilation=d, output_padding=extra
        ).flatten(),
        torch.zeros(1, 1, n, dtype=torch.float64),
    )[:, 0, 0]
    assert jacobian.shape == (window.out_size, window.in_size)
    for p in range(window.out_size):
        assert list(window.reads(p)) == jacobian[p].nonzero().flatten().tolist()
    for i in range(n):
        assert list(window.read_by(i)) == jacobian[:, i].nonzero().flatten().tolist()


def test_the_centre_lies_between_inputs():
    (window,) = transposed_windows((3,), 4, stride=2, padding=1)
    assert [window.centre(p) for p in range(3)] == [Fraction(-1, 4), Fraction(1, 4), Fraction(3, 4)]


@pytest.mark.parametrize("wanted", [(13, 7), (14, 7), (15, 7)])
def test_a_size_asked_for_becomes_output_padding_as_in_pytorch(wanted):
    layer = nn.ConvTranspose2d(1, 1, (3, 4), stride=(3, 1), padding=(1, 0))
    theirs = layer(torch.zeros(1, 1, 5, 4), output_size=wanted)
    found = transposed_windows((5, 4), (3, 4), stride=(3, 1), padding=(1, 0), output_size=wanted)
    assert tuple(window.out_size for window in found) == theirs.shape[2:] == wanted
    assert tuple(window.output_padding for window in found) == (wanted[0] - 13, 0)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"output_size": (16, 7)},
            ShapeError,
            "upsample: output_size is 16 on axis 0, expected 13 to 13 + stride − 1 = 13 + 3 − 1 = 15.",
        ),
        (
            {"output_size": (13, 6)},
            ShapeError,
            "upsample: output_size is 6 on axis 1, expected 7 to 7 + stride − 1 = 7 + 1 − 1 = 7.",
        ),
        ({"output_size": (13,)}, ShapeError, "upsample: output_size (13,) is for 1 axis, expected 2 axes."),
        (
            {"output_size": (14, 7), "output_padding": (1, 0)},
            OptionError,
            "upsample: output_padding (1, 0) and output_size (14, 7) are both given, expected one.",
        ),
        (
            {"output_padding": (3, 0)},
            OptionError,
            "upsample: output_padding is 3 on axis 0, expected less than max(stride, dilation) = max(3, 1) = 3.",
        ),
        (
            {"output_padding": (0, -1)},
            OptionError,
            "upsample: output_padding (0, -1) is -1 on axis 1, expected at least 0.",
        ),
        (
            {"padding": (1, 4)},
            ShapeError,
            "upsample: on axis 1 the output would have (4 − 1)·1 − 4 − 4 + 1·(4 − 1) + 0 + 1 = -1 samples, "
            "expected at least 1.\n  Hint: the padding of a transposed layer makes its output smaller.",
        ),
    ],
)
def test_what_is_refused(arguments, error, message):
    with pytest.raises(error) as caught:
        transposed_windows(
            (5, 4), **{"kernel_size": (3, 4), "stride": (3, 1), "padding": (1, 0), "who": "upsample"} | arguments
        )
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("method", "position", "message"),
    [
        ("reads", 7, "TransposedAxisWindow.reads: output position 7, expected 0 ≤ position < 7."),
        ("centre", -1, "TransposedAxisWindow.centre: output position -1, expected 0 ≤ position < 7."),
        ("read_by", 3, "TransposedAxisWindow.read_by: input position 3, expected 0 ≤ position < 3."),
    ],
)
def test_positions_outside_are_refused(method, position, message):
    (window,) = transposed_windows((3,), 3, stride=2)
    with pytest.raises(ShapeError) as caught:
        getattr(window, method)(position)
    assert str(caught.value) == message
