import pytest
import torch
from network_checks import check_minimum, check_trains, count_parameters
from torch.nn import functional as F

from lenrek.models.lenet5 import LeNet5


def test_parameters_are_those_of_the_layers():
    c1, c2 = 6 * (25 + 1), 16 * (6 * 25 + 1)
    assert count_parameters(LeNet5(10, 1, 2)) == c1 + c2 + 120 * 401 + 84 * 121 + 10 * 85 == 61_706


@pytest.mark.parametrize("size", [(28, 31), (30,), (12, 45, 28)])
def test_logits_equal_the_network_written_out(size):
    torch.manual_seed(0)
    network = LeNet5(7, 3, len(size)).double()
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    weights = dict(network.named_parameters())
    convolve = (F.conv1d, F.conv2d, F.conv3d)[len(size) - 1]
    pool = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[len(size) - 1]
    average = (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)[len(size) - 1]
    y = pool(F.relu(convolve(x, weights["features.0.weight"], weights["features.0.bias"], padding=2)), 2)
    y = pool(F.relu(convolve(y, weights["features.3.weight"], weights["features.3.bias"])), 2)
    if 28 <= min(size) <= max(size) <= 31:
        assert y.shape[2:] == (5,) * len(size)  # nothing is averaged there
    y = average(y, 5).flatten(1)
    for layer in (1, 3, 5):
        y = F.linear(y, weights[f"classifier.{layer}.weight"], weights[f"classifier.{layer}.bias"])
        y = F.relu(y) if layer < 5 else y
    torch.testing.assert_close(network(x), y, rtol=1e-12, atol=1e-12)


def test_a_new_network_is_undecided_and_its_weights_are_he_s():
    torch.manual_seed(0)
    network = LeNet5(10, 1, 2)
    x = torch.randn(64, 1, 28, 28)
    assert network(x).softmax(1).max() < 0.2
    assert network.features[3].weight.std().item() == pytest.approx((2 / 150) ** 0.5, rel=0.05)
    assert network.classifier[1].weight.std().item() == pytest.approx((2 / 400) ** 0.5, rel=0.02)


@pytest.mark.parametrize("size", [(13, 20), (31,), (12, 17, 14)])
def test_every_parameter_gets_a_gradient(size):
    check_trains("lenet5", size)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_minimum_is_true(ndim):
    check_minimum("lenet5", ndim)
