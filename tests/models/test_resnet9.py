import pytest
import torch
from network_checks import check_minimum, check_trains, count_parameters, normalized, randomize_norms
from torch.nn import functional as F

from lenrek.models.resnet9 import ResNet9


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_logits_equal_the_network_written_out(ndim):
    torch.manual_seed(0)
    network = ResNet9(3, 7, 2, ndim).double().eval()
    randomize_norms(network)
    weights = dict(network.state_dict())
    convolve = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[ndim]
    pool = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}[ndim]

    def block(x, key):
        return F.relu(normalized(convolve(x, weights[f"{key}.0.weight"], padding=1), weights, f"{key}.1"))

    def residual(x, key):
        return x + block(block(x, f"{key}.conv1"), f"{key}.conv2")

    image = torch.randn(2, 2, *(17, 10, 8)[:ndim], dtype=torch.float64)
    x = block(image, "features.0")
    x = residual(pool(block(x, "features.1"), 2), "features.3")
    x = pool(block(x, "features.4"), 2)
    x = residual(pool(block(x, "features.6"), 2), "features.8")
    expected = x.flatten(2).max(2).values @ weights["fc.weight"].T + weights["fc.bias"]
    torch.testing.assert_close(network(image), expected)


def test_parameters():
    kernels = 9 * (3 * 64 + 64 * 128 + 2 * 128 * 128 + 128 * 256 + 256 * 512 + 2 * 512 * 512)
    norms = 2 * (64 + 3 * 128 + 256 + 3 * 512)
    assert count_parameters(ResNet9(64, 10, 3, 2)) == kernels + norms + 512 * 10 + 10  # 6.6 million


@pytest.mark.parametrize("size", [(23,), (9, 14), (8, 9, 11)])
def test_trains(size):
    check_trains("resnet9_small", size)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_minimum_size(ndim):
    check_minimum("resnet9_small", ndim)
