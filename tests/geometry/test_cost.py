import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lenrek.errors import OptionError, ShapeError
from lenrek.geometry import Cost, convolution_cost, dense_cost, local_cost


def test_one_filter_between_two_images_shared_local_and_dense():
    size = (250, 250)
    assert convolution_cost(1, 1, (5, 5), size, bias=False).parameters == 25
    assert local_cost(1, 1, (5, 5), size, bias=False).parameters == 250**2 * 25 == 1_562_500
    assert dense_cost(250**2, 250**2, bias=False).parameters == 250**4 == 3_906_250_000


def test_a_linear_layer_between_colour_images():
    cost = dense_cost(256 * 256 * 3, 256 * 256 * 3, bias=False)
    assert cost.parameters == cost.macs == 38_654_705_664  # 3.87·10¹⁰
    assert dense_cost(256 * 256 * 3, 256 * 256 * 3).parameters == 38_654_705_664 + 196_608


def test_vgg_16_s_second_layer():
    assert convolution_cost(64, 64, (3, 3), (224, 224)) == Cost(parameters=36_928, macs=1_849_688_064)


@given(groups=st.integers(1, 3), parts=st.tuples(st.integers(1, 3), st.integers(1, 3)), bias=st.booleans())
def test_parameters_and_macs_as_pytorch_holds_and_sums_them(groups, parts, bias):
    in_channels, out_channels, kernel_size = groups * parts[0], groups * parts[1], (2, 3)
    layer = nn.Conv2d(in_channels, out_channels, kernel_size, groups=groups, bias=bias)
    cost = convolution_cost(in_channels, out_channels, kernel_size, (4, 7), groups=groups, bias=bias)
    assert cost.parameters == sum(p.numel() for p in layer.parameters())
    # With ones everywhere every output counts its own multiplications.
    ones = torch.ones(1, in_channels, 5, 9)
    counted = nn.functional.conv2d(ones, torch.ones_like(layer.weight), groups=groups)
    assert counted.shape[2:] == (4, 7)
    assert cost.macs == counted.sum().item()


def test_local_biases_are_unshared_too():
    cost = local_cost(2, 3, (2, 2), (4, 5))
    assert cost == Cost(parameters=(2 * 2 * 2 * 3 + 3) * 20, macs=2 * 2 * 2 * 3 * 20)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"groups": 4}, ShapeError, "convolution_cost: in_channels 6 in 4 groups gives 6/4, expected a whole number."),
        ({"groups": 3}, ShapeError, "convolution_cost: out_channels 8 in 3 groups gives 8/3, expected a whole number."),
        ({"groups": 0}, OptionError, "convolution_cost: groups is 0, expected an integer of at least 1."),
        (
            {"in_channels": 6.0},
            OptionError,
            "convolution_cost: in_channels is 6.0, expected an integer of at least 1.",
        ),
        ({"positions": (5,)}, ShapeError, "convolution_cost: positions (5,) is for 1 axis, expected 2 axes."),
    ],
)
def test_what_is_refused(arguments, error, message):
    with pytest.raises(error) as caught:
        convolution_cost(
            **{"in_channels": 6, "out_channels": 8, "kernel_size": (3, 2), "positions": (5, 4)} | arguments
        )
    assert str(caught.value) == message
