import re

import numpy as np
import pytest
import torch
from network_checks import check_minimum, check_trains

from lenrek.errors import OptionError
from lenrek.models.tcn import CausalConv1d, TemporalConvNet, tcn


def causal_convolution(x, weight, bias, stride, dilation):
    """y[o, t] = bias[o] + Σ weight[o, i, k] · x[i, stride·t − dilation·(K − 1 − k)], and x is 0 before its start."""
    c_out, c_in, taps = weight.shape
    y = np.tile(bias[:, None], -(-x.shape[1] // stride))
    for o, t, i, k in np.ndindex(c_out, y.shape[1], c_in, taps):
        position = stride * t - dilation * (taps - 1 - k)
        if position >= 0:
            y[o, t] += weight[o, i, k] * x[i, position]
    return y


@pytest.mark.parametrize(("kernel_size", "stride", "dilation"), [(3, 1, 4), (4, 1, 1), (5, 3, 1), (3, 2, 2)])
def test_causal_convolution_equals_its_sum(kernel_size, stride, dilation):
    torch.manual_seed(0)
    module = CausalConv1d(2, 3, kernel_size, stride=stride, dilation=dilation).double()
    x = torch.randn(1, 2, 13, dtype=torch.float64)
    weight, bias = module[1].weight.detach().numpy(), module[1].bias.detach().numpy()
    expected = causal_convolution(x[0].numpy(), weight, bias, stride, dilation)
    np.testing.assert_allclose(module(x)[0].detach().numpy(), expected, rtol=1e-12)


def test_weights_are_a_direction_and_a_length():
    module = CausalConv1d(2, 3, 5)
    length, direction = module[1].parametrizations.weight.original0, module[1].parametrizations.weight.original1
    with torch.no_grad():
        length.fill_(2.5)
        direction.mul_(7)
    torch.testing.assert_close(module[1].weight.norm(dim=(1, 2)), torch.full((3,), 2.5))


@pytest.mark.parametrize(("kernel_size", "levels"), [(2, 3), (3, 3), (4, 2)])
def test_each_step_sees_its_past_and_itself(kernel_size, levels):
    network = TemporalConvNet(2, (3,) * levels, kernel_size).double()
    for parameter in network.parameters():
        parameter.data.abs_()  # no path cancels another, no ReLU closes
    x = torch.ones(1, 2, 80, dtype=torch.float64, requires_grad=True)
    network(x)[0, :, 60].sum().backward()
    seen = x.grad[0].all(0).nonzero().flatten().tolist()
    field = 1 + 2 * (kernel_size - 1) * (2**levels - 1)
    assert seen == list(range(60 - field + 1, 61))
    assert len(seen) == int((x.grad[0] != 0).any(0).sum())


def test_the_future_changes_nothing_in_training_either():
    torch.manual_seed(0)
    network = tcn(4, 1, 1)
    features = torch.nn.Sequential(network.stem, network.tcn)
    x = torch.randn(2, 1, 400)
    later = x.clone()
    later[..., 161:] += 1
    torch.manual_seed(1)
    first = features(x)
    torch.manual_seed(1)  # the same channels dropped
    second = features(later)
    assert first.shape == (2, 64, 25)
    assert torch.equal(first[..., :11], second[..., :11])
    assert not torch.equal(first[..., 11:], second[..., 11:])


def test_classifier_sees_a_second_of_sound_at_8_khz():
    network = tcn(10, 1, 1).eval()
    for parameter in network.parameters():
        parameter.data.abs_()
    x = torch.rand(1, 1, 8000, requires_grad=True)
    last_step = network.tcn(network.stem(x))[0, :, -1]
    assert network.stem(x).shape == (1, 64, 500)
    last_step.sum().backward()
    seen = x.grad[0, 0].nonzero().flatten()
    assert (seen.min().item(), seen.max().item()) == (0, 16 * 499)


def test_fresh_blocks_keep_the_size_of_their_values():
    torch.manual_seed(0)
    network = TemporalConvNet(64, (64,) * 16).double()
    x = torch.rand(4, 64, 300, dtype=torch.float64)
    growth = network(x).square().mean().sqrt() / x.square().mean().sqrt()
    assert 0.5 < growth.item() < 4


def test_dropout_takes_whole_channels():
    torch.manual_seed(0)
    block = TemporalConvNet(8, (8,), dropout=0.5).network[0]
    features = block.dropout(torch.ones(5, 8, 30))
    assert set(features.sum(2).unique().tolist()) == {0.0, 60.0}


def test_no_block():
    message = "TemporalConvNet: channels is empty, but each block needs its number of channels."
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        TemporalConvNet(3, ())


def test_trains():
    check_trains("tcn", (700,))


def test_minimum_size():
    check_minimum("tcn", 1)
