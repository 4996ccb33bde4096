import pytest
import torch
from network_checks import check_minimum, check_trains, count_parameters, normalized, randomize_norms
from torch.nn import functional as F

from lenrek.models.mobilenet_v2 import mobilenet_v2

CONVOLVE = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
# Of each block, counted from 1, what its row in the paper's Table 2 says.
STRIDES = {2: 2, 4: 2, 7: 2, 14: 2}
WITH_SHORTCUT = {3, 5, 6, 8, 9, 10, 12, 13, 15, 16}


def written_out(weights, x):
    convolve = CONVOLVE[x.ndim - 2]

    def layer(x, convolution, norm, stride=1, groups=1):
        kernel = weights[f"{convolution}.weight"]
        y = convolve(x, kernel, None, stride, kernel.shape[-1] // 2, 1, groups)
        return normalized(y, weights, norm)

    def relu6(x):
        return x.clamp(0, 6)

    x = relu6(layer(x, "features.0.0", "features.0.1", 2))
    for block in range(1, 18):
        name = f"features.{block}.conv"
        y = x if block == 1 else relu6(layer(x, f"{name}.0.0", f"{name}.0.1"))
        depthwise = 0 if block == 1 else 1
        y = layer(y, f"{name}.{depthwise}.0", f"{name}.{depthwise}.1", STRIDES.get(block, 1), groups=y.shape[1])
        y = layer(relu6(y), f"{name}.{depthwise + 1}", f"{name}.{depthwise + 2}")
        x = x + y if block in WITH_SHORTCUT else y
    x = relu6(layer(x, "features.18.0", "features.18.1"))
    return x.flatten(2).mean(2) @ weights["classifier.1.weight"].T + weights["classifier.1.bias"]


@pytest.mark.parametrize("size", [(90,), (37, 50), (17, 20, 33)])
def test_logits_equal_the_network_written_out_from_its_keys(size):
    torch.manual_seed(1)
    network = mobilenet_v2(7, 4, len(size)).double().eval()
    randomize_norms(network)
    x = torch.randn(2, 4, *size, dtype=torch.float64)
    torch.testing.assert_close(network(x), written_out(dict(network.state_dict()), x), rtol=1e-9, atol=1e-9)


def test_parameters_and_keys_are_those_of_the_public_checkpoints():
    network = mobilenet_v2(1000, 3, 2)
    keys = list(network.state_dict())
    assert count_parameters(network) == 3_504_872
    assert len(keys) == 314
    assert keys[0] == "features.0.0.weight"
    assert keys[-2:] == ["classifier.1.weight", "classifier.1.bias"]
    assert network.state_dict()["features.2.conv.1.0.weight"].shape == (96, 1, 3, 3)
    assert network.state_dict()["features.17.conv.2.weight"].shape == (320, 960, 1, 1)


@pytest.mark.parametrize("size", [(70,), (33, 50), (17, 20, 9)])
def test_trains(size):
    check_trains("mobilenet_v2", size)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_minimum_size(ndim):
    check_minimum("mobilenet_v2", ndim)
