"""Spatially separable layers: what a convolution becomes, and that it can be trained on."""

import pytest
import torch

from lenrek.errors import ShapeError
from lenrek.nn.separable import SpatiallySeparableConv


@pytest.mark.parametrize(("convolution", "kernel"), [(torch.nn.Conv2d, (3, 5)), (torch.nn.Conv3d, (2, 3, 4))])
def test_with_all_terms_it_is_the_convolution(convolution, kernel):
    torch.manual_seed(0)
    options = {"stride": 2, "padding": 1, "dilation": 1, "groups": 2, "padding_mode": "replicate"}
    conv = convolution(4, 6, kernel, **options)
    rank = 3 if len(kernel) == 2 else 6
    layer = SpatiallySeparableConv(conv.weight, conv.bias, rank, **options)
    x = torch.randn(2, 4, 9, 8, 7)[(..., *[0] * (3 - len(kernel)))]
    torch.testing.assert_close(layer(x), conv(x), atol=1e-5, rtol=1e-4)
    assert layer.error.max() < 1e-5


def test_training_wins_back_what_factoring_lost():
    torch.manual_seed(0)
    conv, x = torch.nn.Conv2d(1, 1, 5), torch.randn(8, 1, 12, 12)
    layer = SpatiallySeparableConv(conv.weight, conv.bias)
    wanted = conv(x).detach().abs()  # another task than the one factored for
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        losses.append((layer(x) - wanted).square().mean())
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.6 * losses[0]
    assert all(parameter.grad is not None for parameter in layer.parameters())


def test_state_and_representation():
    conv = torch.nn.Conv2d(4, 6, 3, groups=2)
    layer = SpatiallySeparableConv(conv.weight, conv.bias, groups=2)
    assert set(layer.state_dict()) == {"factors.0", "factors.1", "bias", "error"}
    assert repr(layer).splitlines()[0] == "SpatiallySeparableConv("
    assert layer.extra_repr() == (
        "4, 6, kernel_size=(3, 3), rank=1, stride=(1, 1), padding=((0, 0), (0, 0)), dilation=(1, 1), groups=2, "
        "bias=True, padding_mode='zeros'"
    )


def test_message():
    with pytest.raises(ShapeError) as raised:
        SpatiallySeparableConv(torch.zeros(2, 2, 3))
    assert str(raised.value) == (
        "SpatiallySeparableConv: weight (2, 2, 3) has 3 axes, expected at least 4: "
        "(out_channels, in_channels/groups, *kernel_size) with two kernel axes to separate."
    )
