"""Receptive fields against published tables and the support of gradients through random chains."""

from fractions import Fraction
from math import ceil, floor

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from lenrek.errors import ShapeError
from lenrek.geometry import (
    AxisWindow,
    ReceptiveField,
    TransposedAxisWindow,
    reached_inputs,
    receptive_field,
    transposed_windows,
    windows,
)


def field(size, stride, start):
    return ReceptiveField(Fraction(size), Fraction(stride), Fraction(start))


def test_two_layers_of_kernel_3_padding_1_and_stride_2():
    (first,), (second,) = windows((7,), 3, stride=2, padding=1), windows((4,), 3, stride=2, padding=1)
    result = receptive_field([first, second])
    assert result == field(size=7, stride=4, start=-3)
    assert [result.centre(p) for p in range(second.out_size)] == [0, 4]
    assert [reached_inputs([first, second], p) for p in (0, 1)] == [(0, 1, 2, 3), (1, 2, 3, 4, 5, 6)]


# Size and stride of every layer of VGG-16, as in the table that accompanies receptive-field lectures.
VGG16 = {
    "conv1_1": (3, 1), "conv1_2": (5, 1), "pool1": (6, 2),
    "conv2_1": (10, 2), "conv2_2": (14, 2), "pool2": (16, 4),
    "conv3_1": (24, 4), "conv3_2": (32, 4), "conv3_3": (40, 4), "pool3": (44, 8),
    "conv4_1": (60, 8), "conv4_2": (76, 8), "conv4_3": (92, 8), "pool4": (100, 16),
    "conv5_1": (132, 16), "conv5_2": (164, 16), "conv5_3": (196, 16), "pool5": (212, 32),
}  # fmt: skip


def test_vgg_16():
    result, size = ReceptiveField(), 224
    for name, (expected_size, expected_stride) in VGG16.items():
        pool = name.startswith("pool")
        (window,) = windows((size,), 2, stride=2) if pool else windows((size,), 3, padding=1)
        result, size = result.through(window), window.out_size
        assert (name, result.size, result.stride) == (name, expected_size, expected_stride)
    assert size == 7
    assert result.centre(3) == Fraction(223, 2)  # pool5's middle feature looks at the middle of the image


@st.composite
def chains(draw, kinds):
    """Layers along one axis that fit together, at most four of them."""
    chain, size = [], draw(st.integers(3, 20))
    for kind in draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=4)):
        kernel_size, stride, dilation = (draw(st.integers(1, n)) for n in (4, 3, 3))
        padding = ((draw(st.integers(0, 3)), draw(st.integers(0, 3))),)
        try:
            (window,) = kind((size,), kernel_size, stride=stride, dilation=dilation, padding=padding)
        except ShapeError:
            break
        if window.out_size > 40:
            break
        chain.append(window)
        size = window.out_size
    return chain or [windows((size,), 1)[0]]


def apply(window: AxisWindow | TransposedAxisWindow, x: torch.Tensor) -> torch.Tensor:
    forward = window.forward if isinstance(window, TransposedAxisWindow) else window
    weight = torch.ones(1, 1, forward.kernel_size, dtype=x.dtype)
    if forward is window:
        padded = functional.pad(x, (forward.before, forward.after))
        return functional.conv1d(padded, weight, stride=forward.stride, dilation=forward.dilation)
    whole = functional.conv_transpose1d(x, weight, stride=forward.stride, dilation=forward.dilation)
    return whole[..., forward.before : forward.before + window.out_size]


def gradient_support(chain, in_size):
    """Per feature of the last layer, the inputs with a gradient."""

    def network(x):
        for window in chain:
            x = apply(window, x)
        return x.flatten()

    jacobian = torch.autograd.functional.jacobian(network, torch.zeros(1, 1, in_size, dtype=torch.float64))[:, 0, 0]
    return [tuple(row.nonzero().flatten().tolist()) for row in jacobian]


@given(chains([windows, transposed_windows]))
@settings(deadline=None, max_examples=150)
def test_reached_inputs_are_those_with_a_gradient(chain):
    expected = gradient_support(chain, chain[0].in_size)
    assert [reached_inputs(chain, p) for p in range(chain[-1].out_size)] == expected
    result = receptive_field(chain)
    for p, reached in enumerate(expected):
        begin = result.start + result.stride * p
        assert all(begin <= i <= begin + result.size - 1 for i in reached)


@given(chains([windows]))
@settings(deadline=None)
def test_a_convolutional_field_runs_exactly_from_the_first_sample_to_the_last(chain):
    result = receptive_field(chain)
    for p in range(chain[-1].out_size):
        first = last = p
        for window in reversed(chain):
            first, last = first * window.stride - window.before, last * window.stride - window.before
            last += window.dilation * (window.kernel_size - 1)
        assert result.start + result.stride * p == first
        assert result.size == last - first + 1
        assert result.centre(p) == Fraction(first + last, 2)


@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 2))
def test_one_transposed_layer_is_bounded_tightly(kernel_size, stride, padding):
    try:
        (window,) = transposed_windows((9,), kernel_size, stride=stride, padding=padding)
    except ShapeError:
        return
    result = receptive_field([window])
    assert result.stride == Fraction(1, stride)
    for p in range(window.out_size):
        begin = result.start + result.stride * p
        inside = range(max(0, ceil(begin)), min(9, floor(begin + result.size - 1) + 1))
        assert reached_inputs([window], p) == tuple(inside)


def test_down_and_up_again_returns_to_the_pixels():
    (down,) = windows((16,), 4, stride=2, padding=1)
    (up,) = transposed_windows((8,), 4, stride=2, padding=1)
    result = receptive_field([down, up])
    assert result == field(size=7, stride=1, start=-3)
    assert [result.centre(p) for p in (0, 5)] == [0, 5]


def test_branches_meet_in_the_hull_of_both():
    assert field(3, 2, -1).union(field(5, 2, 0)) == field(6, 2, -1)
    assert field(9, 1, -4).union(field(1, 1, 0)) == field(9, 1, -4)


def test_branches_of_different_strides_do_not_meet():
    with pytest.raises(ShapeError) as caught:
        field(3, 2, 0).union(field(3, Fraction(1, 2), 0))
    assert str(caught.value) == ("ReceptiveField.union: branches with strides 2 and 1/2, expected equal strides.")


@pytest.mark.parametrize("function", [receptive_field, lambda chain: reached_inputs(chain, 0)])
def test_layers_that_do_not_follow_one_another(function):
    chain = [windows((9,), 3)[0], windows((7,), 2)[0], windows((5,), 1)[0]]
    with pytest.raises(ShapeError, match=r": layer 1 has 6 outputs, but layer 2 expects 5 inputs\.$"):
        function(chain)


@pytest.mark.parametrize(
    ("chain", "p", "message"),
    [
        ([], 0, "reached_inputs: the chain is empty, expected at least one layer."),
        (list(windows((9,), 3)), 7, "reached_inputs: output position 7, expected 0 ≤ position < 7."),
    ],
)
def test_no_such_feature(chain, p, message):
    with pytest.raises(ShapeError) as caught:
        reached_inputs(chain, p)
    assert str(caught.value) == message
