"""Windows against three oracles: counting them one by one, PyTorch's output shapes, and the support of gradients."""

from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from lenrek.errors import OptionError, ShapeError
from lenrek.geometry import output_size, windows

CONV = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
MAX_POOL = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}


@st.composite
def layers(draw, ndim):
    """in_size, kernel_size, stride, dilation and (before, after), all different from axis to axis."""

    def unequal(least, most):
        return tuple(draw(st.lists(st.integers(least, most), min_size=ndim, max_size=ndim, unique=True)))

    sides = tuple(zip(unequal(0, 5), unequal(0, 5), strict=True))
    return unequal(1, 14), unequal(1, 5), unequal(1, 4), unequal(1, 4), sides


def starts(in_size, kernel_size, stride, dilation, before, after):
    """Where windows begin, tried out one after the other on the padded axis."""
    found, start = [], 0
    while start + dilation * (kernel_size - 1) < before + in_size + after:
        found.append(start - before)
        start += stride
    return found


def test_the_worked_example():
    assert output_size((3, 5), (3, 5), stride=(2, 2), padding=(2, 1)) == (3, 2)


@pytest.mark.parametrize(
    ("padding", "expected"), [("valid", (3, 4)), ("same", (5, 7)), ("causal", (5, 7)), ("full", (7, 10))]
)
def test_named_boundaries_without_a_stride(padding, expected):
    assert output_size((5, 7), (3, 4), padding=padding) == expected  # N − K + 1, N, N, N + K − 1


@given(layers(2), st.sampled_from(["same", "same_lower", "causal"]))
def test_a_stride_keeps_every_sth_of_as_many_outputs_as_inputs(layer, name):
    in_size, kernel_size, stride, dilation, _ = layer
    expected = tuple(-(-n // s) for n, s in zip(in_size, stride, strict=True))
    assert output_size(in_size, kernel_size, stride=stride, dilation=dilation, padding=name) == expected


@given(layers(3))
def test_as_many_windows_as_counted(layer):
    in_size, kernel_size, stride, dilation, sides = layer
    counted = [
        starts(n, k, s, d, *side)
        for n, k, s, d, side in zip(in_size, kernel_size, stride, dilation, sides, strict=True)
    ]
    if not all(counted):
        with pytest.raises(ShapeError):
            windows(in_size, kernel_size, stride=stride, padding=sides, dilation=dilation)
        return
    found = windows(in_size, kernel_size, stride=stride, padding=sides, dilation=dilation)
    for window, begins, k, d in zip(found, counted, kernel_size, dilation, strict=True):
        assert window.out_size == len(begins)
        for p, begin in enumerate(begins):
            positions = [begin + d * j for j in range(k)]
            assert list(window.reads(p)) == positions
            assert window.centre(p) == Fraction(positions[0] + positions[-1], 2)
        for i in range(window.in_size):
            assert list(window.read_by(i)) == [p for p in range(window.out_size) if i in window.reads(p)]


@pytest.mark.parametrize("ndim", [1, 2, 3])
@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_convolutions_have_pytorch_s_shape(ndim, data):
    in_size, kernel_size, stride, dilation, sides = data.draw(layers(ndim))
    padding = tuple(before for before, _ in sides)
    arguments = {"stride": stride, "padding": padding, "dilation": dilation}
    try:
        theirs = CONV[ndim](torch.zeros(1, 1, *in_size), torch.zeros(1, 1, *kernel_size), **arguments).shape[2:]
    except RuntimeError:
        with pytest.raises(ShapeError):
            output_size(in_size, kernel_size, **arguments)
    else:
        assert output_size(in_size, kernel_size, **arguments) == theirs


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("ndim", [1, 2, 3])
@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_pooling_has_pytorch_s_shape(ndim, ceil_mode, data):
    in_size, kernel_size, stride, dilation, sides = data.draw(layers(ndim))
    padding = tuple(min(before, k // 2) for (before, _), k in zip(sides, kernel_size, strict=True))
    arguments = {"stride": stride, "padding": padding, "dilation": dilation, "ceil_mode": ceil_mode}
    try:
        theirs = MAX_POOL[ndim](torch.zeros(1, 1, *in_size), kernel_size, **arguments).shape[2:]
    except RuntimeError:
        with pytest.raises(ShapeError):
            output_size(in_size, kernel_size, **arguments)
    else:
        assert output_size(in_size, kernel_size, **arguments) == theirs


@pytest.mark.parametrize(
    ("in_size", "padding", "expected"),
    [
        (5, 0, 3),  # one sample is left over: it starts a window of its own
        (4, 0, 2),  # nothing is left over
        (4, 1, 3),  # a window would start at 4, the padding after, but 3 whole ones fit anyhow
        (5, ((0, 1),), 3),  # whole windows only
        (5, ((0, 2),), 3),  # a fourth would start at 6, in the padding after
    ],
)
def test_ceil_mode_never_starts_a_window_in_the_padding_after(in_size, padding, expected):
    assert output_size((in_size,), 2, stride=2, padding=padding, ceil_mode=True) == (expected,)


@given(layers(2))
@settings(deadline=None, max_examples=60)
def test_a_gradient_reaches_exactly_the_samples_read(layer):
    in_size, kernel_size, stride, dilation, sides = layer
    try:
        rows, columns = windows(in_size, kernel_size, stride=stride, padding=sides, dilation=dilation)
    except ShapeError:
        return
    flat_sides = (*sides[1], *sides[0])
    weight = torch.ones(1, 1, *kernel_size, dtype=torch.float64)

    def layer_of(x):
        return functional.conv2d(functional.pad(x, flat_sides), weight, stride=stride, dilation=dilation)[0, 0]

    x = torch.zeros(1, 1, *in_size, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(layer_of, x)[:, :, 0, 0]
    for (p, q, i, j), value in zip(
        torch.cartesian_prod(*map(torch.arange, jacobian.shape)).tolist(), jacobian.flatten().tolist(), strict=True
    ):
        assert (value != 0) == (i in rows.reads(p) and j in columns.reads(q))
        assert (value != 0) == (p in rows.read_by(i) and q in columns.read_by(j))


def test_a_window_that_does_not_fit_says_by_how_much():
    with pytest.raises(ShapeError) as caught:
        windows((9, 4), (3, 4), dilation=(1, 2), padding=((0, 0), (1, 0)), who="correlate")
    assert str(caught.value) == (
        "correlate: on axis 1 the window covers 2·(4 − 1) + 1 = 7 samples, but the padded input has 1 + 4 + 0 = 5.\n"
        "  Hint: give the input 2 more samples or as much padding, or make the kernel smaller."
    )


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"stride": (1, 0)}, OptionError, "output_size: stride (1, 0) is 0 on axis 1, expected at least 1."),
        ({"dilation": -1}, OptionError, "output_size: dilation (-1, -1) is -1 on axis 0, expected at least 1."),
        ({"kernel_size": (3,)}, ShapeError, "output_size: kernel_size (3,) is for 1 axis, expected 2 axes."),
        ({"padding": (1, 1, 1)}, ShapeError, "output_size: padding (1, 1, 1) is for 3 axes, expected 2 axes."),
        ({"in_size": 8}, OptionError, "output_size: in_size is 8, expected a sequence with one size per axis."),
    ],
)
def test_what_is_refused(arguments, error, message):
    with pytest.raises(error) as caught:
        output_size(**{"in_size": (8, 9), "kernel_size": (3, 2)} | arguments)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("method", "position", "message"),
    [
        ("reads", 4, "AxisWindow.reads: output position 4, expected 0 ≤ position < 4."),
        ("reads", -1, "AxisWindow.reads: output position -1, expected 0 ≤ position < 4."),
        ("centre", 4, "AxisWindow.centre: output position 4, expected 0 ≤ position < 4."),
        ("read_by", 7, "AxisWindow.read_by: input position 7, expected 0 ≤ position < 7."),
    ],
)
def test_positions_outside_are_refused(method, position, message):
    (window,) = windows((7,), 3, stride=2, padding=1)
    with pytest.raises(ShapeError) as caught:
        getattr(window, method)(position)
    assert str(caught.value) == message
