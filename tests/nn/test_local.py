"""Locally connected layers: their arithmetic, initialisation, state, training and messages."""

import copy

import pytest
import torch

from lenrek.errors import OptionError, ShapeError
from lenrek.geometry import local_cost
from lenrek.nn.local import LocallyConnected, LocallyConnected1d, LocallyConnected2d, LocallyConnected3d
from lenrek.ops.local import local_correlate


@pytest.mark.parametrize(
    ("layer", "in_size", "kernel_size"),
    [(LocallyConnected1d, (9,), 3), (LocallyConnected2d, (7, 6), (3, 2)), (LocallyConnected3d, (5, 4, 3), (3, 2, 1))],
)
def test_computes_local_correlate(layer, in_size, kernel_size):
    torch.manual_seed(0)
    module = layer(4, 6, kernel_size, 2, "same", 1, 2, padding_mode="symmetric", in_size=in_size)
    x = torch.randn(2, 4, *in_size)
    expected = local_correlate(x, module.weight, module.bias, 2, module.padding, groups=2, boundary="symmetric")
    torch.testing.assert_close(module(x), expected)
    assert tuple(expected.shape) == (2, 6, *module.out_size)
    general = LocallyConnected(4, 6, kernel_size, 2, "same", 1, 2, padding_mode="symmetric", in_size=in_size)
    general.load_state_dict(module.state_dict())
    torch.testing.assert_close(general(x), expected)


def test_parameters_are_those_counted():
    module = LocallyConnected2d(3, 5, (3, 2), in_size=(8, 7))
    counted = local_cost(3, 5, (3, 2), module.out_size).parameters
    assert sum(parameter.numel() for parameter in module.parameters()) == counted == (3 * 5 * 6 + 5) * 36
    assert LocallyConnected2d(3, 5, 3, in_size=8, shared_bias=True).bias.shape == (5,)
    assert LocallyConnected2d(3, 5, 3, in_size=8, bias=False).bias is None


def test_starts_as_a_convolution_does():
    torch.manual_seed(0)
    module = LocallyConnected2d(4, 6, (3, 2), groups=2, in_size=(20, 19))
    bound = (2 * 3 * 2) ** -0.5
    for parameter in (module.weight, module.bias):
        assert 0.99 * bound < parameter.abs().max() <= bound
        assert parameter.mean().abs() < 0.03 * bound
    conv = torch.nn.Conv2d(4, 6, (3, 2), groups=2)
    assert conv.weight.abs().max() <= bound  # PyTorch's bound is the same


def test_the_weight_keeps_its_place_in_memory():
    module = LocallyConnected2d(4, 6, (3, 2), in_size=(5, 4))
    fresh = LocallyConnected2d(4, 6, (3, 2), in_size=(5, 4))
    fresh.load_state_dict({name: value.contiguous() for name, value in module.state_dict().items()})
    for weight in (module.weight, copy.deepcopy(module).double().weight, fresh.weight):
        assert weight.movedim(3, -1).is_contiguous()


def test_learns_what_no_shared_kernel_can():
    torch.manual_seed(0)
    module = LocallyConnected1d(1, 1, 1, in_size=4)
    gains, x = torch.tensor([1.0, -2.0, 3.0, 0.0]), torch.randn(64, 1, 4)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        (module(x) - gains * x).square().mean().backward()
        optimizer.step()
    torch.testing.assert_close(module.weight.detach().flatten(), gains, atol=1e-2, rtol=0)


def test_representation():
    assert repr(LocallyConnected1d(2, 4, 3, in_size=9, shared_bias=True)) == (
        "LocallyConnected1d(2, 4, kernel_size=(3,), in_size=(9,), stride=(1,), padding=((0, 0),), dilation=(1,), "
        "groups=1, bias=shared, padding_mode='zeros')"
    )


def test_messages():
    with pytest.raises(ShapeError) as raised:
        LocallyConnected2d(3, 4, 3, in_size=(8, 7))(torch.zeros(1, 3, 7, 8))
    assert str(raised.value) == (
        "LocallyConnected2d: x (1, 3, 7, 8), expected (batch, in_channels, *in_size) with in_size=(8, 7), "
        "as every position has weights of its own."
    )
    with pytest.raises(OptionError) as raised:
        LocallyConnected2d(3, 4, 3, in_size=8, bias=False, shared_bias=True)
    assert str(raised.value) == "LocallyConnected2d: shared_bias=True has no effect with bias=False."
    with pytest.raises(ShapeError) as raised:
        LocallyConnected2d(3, 4, 3, groups=2, in_size=8)
    assert str(raised.value) == "LocallyConnected2d: in_channels is 3, expected a multiple of groups=2."
