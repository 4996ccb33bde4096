"""Depthwise-separable layers: arithmetic, initialisation, general and fixed axes, messages."""

import pytest
import torch

from lenrek.errors import OptionError, ShapeError
from lenrek.nn.depthwise import (
    DepthwiseSeparableConv,
    DepthwiseSeparableConv1d,
    DepthwiseSeparableConv2d,
    DepthwiseSeparableConv3d,
)

LAYERS = {1: DepthwiseSeparableConv1d, 2: DepthwiseSeparableConv2d, 3: DepthwiseSeparableConv3d}
CONVOLUTIONS = {1: torch.nn.Conv1d, 2: torch.nn.Conv2d, 3: torch.nn.Conv3d}


@pytest.mark.parametrize("ndim", LAYERS)
def test_is_two_convolutions_of_pytorch(ndim):
    torch.manual_seed(0)
    kernel, stride, padding, dilation = (3, 2, 3)[:ndim], (2, 1, 1)[:ndim], (1, 0, 2)[:ndim], (1, 2, 1)[:ndim]
    layer = LAYERS[ndim](4, 6, kernel, stride, padding, dilation, 2, padding_mode="circular")
    depthwise = CONVOLUTIONS[ndim](
        4, 8, kernel, stride, padding, dilation, groups=4, bias=False, padding_mode="circular"
    )
    pointwise = CONVOLUTIONS[ndim](8, 6, 1)
    depthwise.weight, pointwise.weight, pointwise.bias = layer.depthwise_weight, layer.pointwise_weight, layer.bias
    x = torch.randn(2, 4, 7, 6, 5)[(..., *[0] * (3 - ndim))]
    torch.testing.assert_close(layer(x), pointwise(depthwise(x)))
    general = DepthwiseSeparableConv(4, 6, kernel, stride, padding, dilation, 2, padding_mode="circular")
    general.load_state_dict(layer.state_dict())
    torch.testing.assert_close(general(x), layer(x))


def test_starts_as_its_two_convolutions_do():
    torch.manual_seed(0)
    layer = DepthwiseSeparableConv2d(64, 128, (3, 5))
    for weight, bound in ((layer.depthwise_weight, 15**-0.5), (layer.pointwise_weight, 1 / 8), (layer.bias, 1 / 8)):
        assert 0.95 * bound < weight.abs().max() <= bound
    assert DepthwiseSeparableConv2d(2, 3, 3, bias=False).bias is None


def test_representation():
    assert repr(DepthwiseSeparableConv1d(2, 4, 3, padding="causal", padding_mode=0.5)) == (
        "DepthwiseSeparableConv1d(2, 4, kernel_size=(3,), stride=(1,), padding=((2, 0),), dilation=(1,), "
        "multiplier=1, bias=True, padding_mode=0.5)"
    )


def test_messages():
    with pytest.raises(ShapeError) as raised:
        DepthwiseSeparableConv(2, 4, 3)
    assert str(raised.value) == (
        "DepthwiseSeparableConv: kernel_size 3 does not say for how many axes, expected one each."
    )
    with pytest.raises(OptionError) as raised:
        DepthwiseSeparableConv2d(2, 4, 3, multiplier=0)
    assert str(raised.value) == "DepthwiseSeparableConv2d: multiplier (0,) is 0 on axis 0, expected at least 1."
