import re

import numpy as np
import pytest
import torch
from network_checks import check_minimum, check_trains, count_parameters
from torch import nn
from torch.nn import functional as F

from lenrek.errors import OptionError
from lenrek.models.dilated_context import DilatedContext, dilated_context, dilated_context_large

RECEPTIVE_FIELDS = (3, 5, 9, 17, 33, 65, 67, 67)  # of layers 1 to 8: the paper's Table 1


def positive(module):
    """Every weight equal and above zero, so that no path cancels another and no ReLU closes."""
    for layer in module.layers:
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d):
            nn.init.constant_(layer.weight, 1 / layer.weight[0].numel())
    return module.double()


@pytest.mark.parametrize("widths", ["basic", "large"])
@pytest.mark.parametrize(("layer", "field"), list(enumerate(RECEPTIVE_FIELDS, 1)))
def test_each_layer_sees_what_table_1_says(widths, layer, field):
    module = positive(DilatedContext(1, 1, widths))
    x = torch.ones(1, 1, 101, dtype=torch.float64, requires_grad=True)
    module.layers[: 2 * layer - 1](x)[0, :, 50].sum().backward()
    seen = x.grad[0, 0].nonzero().flatten().tolist()
    assert seen == list(range(50 - field // 2, 50 + field // 2 + 1))


@pytest.mark.parametrize(("size", "centre"), [((75, 69), (35, 34)), ((69, 1, 68), (34, 0, 33))])
def test_sees_67_samples_on_every_axis(size, centre):
    x = torch.ones(1, 1, *size, dtype=torch.float64, requires_grad=True)
    positive(DilatedContext(1, len(size)))(x)[(0, 0, *centre)].backward()
    expected = np.zeros(size, dtype=bool)
    expected[tuple(slice(max(c - 33, 0), c + 34) for c in centre)] = True
    np.testing.assert_array_equal(x.grad[0, 0].numpy() != 0, expected)


@pytest.mark.parametrize("size", [(40,), (9, 14), (5, 6, 7)])
def test_fresh_basic_module_is_the_identity(size):
    features = torch.rand(2, 3, *size)
    assert torch.equal(DilatedContext(3, len(size))(features), features)


def test_fresh_large_module_is_the_identity_but_for_the_noise():
    torch.manual_seed(0)
    module = DilatedContext(4, 2, "large")
    features = torch.rand(1, 4, 9, 14)
    assert not torch.equal(module(features), features)
    for layer in module.layers[::2]:
        layer.weight.data[layer.weight < 0.5 * 4 / len(layer.weight)] = 0
    torch.testing.assert_close(module(features), features)


def test_fresh_large_weights_follow_the_papers_equation_5():
    torch.manual_seed(0)
    channels = 2
    for layer in DilatedContext(channels, 2, "large").layers[::2]:
        weight = layer.weight.detach().numpy()
        c_out, c_in, height, width = weight.shape
        noise = []
        for b, a, row, column in np.ndindex(weight.shape):
            in_centre = (row, column) == (height // 2, width // 2)
            if in_centre and int(a * channels / c_in) == int(b * channels / c_out):
                assert weight[b, a, row, column] == np.float32(channels / c_out)
            else:
                noise.append(weight[b, a, row, column])
        assert np.std(noise) == pytest.approx(0.01 * channels / c_out, rel=0.3)
        assert not layer.bias.any()


def test_layers_are_those_of_table_1():
    large = DilatedContext(3, 2, "large").layers[::2]
    assert [layer.out_channels for layer in large] == [6, 6, 12, 24, 48, 96, 96, 3]
    for widths in ("basic", "large"):
        layers = DilatedContext(3, 2, widths).layers[::2]
        assert [layer.dilation for layer in layers] == [(d, d) for d in (1, 1, 2, 4, 8, 16, 1, 1)]
        assert [layer.kernel_size for layer in layers] == [(3, 3)] * 7 + [(1, 1)]
    # Seven 3 × 3 convolutions and a 1 × 1 one: the paper's "approximately 64 C² parameters", plus eight biases each.
    assert count_parameters(DilatedContext(21, 2)) == 64 * 21**2 + 8 * 21


def test_last_layer_is_not_truncated():
    module = DilatedContext(1, 1)
    nn.init.constant_(module.layers[-1].weight, -1)
    torch.testing.assert_close(module(torch.tensor([[[1.0, 2.0]]])), torch.tensor([[[-1.0, -2.0]]]))


def test_unknown_widths():
    message = "DilatedContext: widths is 'wide', but there are only basic and large."
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        DilatedContext(3, 2, "wide")


@pytest.mark.parametrize(("build", "channels"), [(dilated_context, 64), (dilated_context_large, 16)])
def test_a_fresh_classifier_is_its_stem_averaged_and_weighed(build, channels):
    torch.manual_seed(0)
    network = build(5, 2, 2).eval()
    for layer in network.context.layers[::2]:  # without the noise of the large module
        layer.weight.data[layer.weight < 0.5 * channels / len(layer.weight)] = 0
    x = torch.randn(3, 2, 9, 14)
    stem = F.relu(F.conv2d(x, network.stem[0].weight, stride=2, padding=1) / (1 + 1e-5) ** 0.5)
    assert stem.shape == (3, channels, 5, 7)
    torch.testing.assert_close(network(x), network.fc(stem.mean((2, 3))))


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("dilated_context", (70,)),
        ("dilated_context", (13, 20)),
        ("dilated_context", (6, 9, 7)),
        ("dilated_context_large", (70,)),
        ("dilated_context_large", (13, 20)),
    ],
)
def test_trains(name, size):
    check_trains(name, size)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_minimum_size(ndim):
    check_minimum("dilated_context", ndim)
