import pytest
import torch
from network_checks import check_minimum, check_trains, count_parameters, normalized, randomize_norms
from torch.nn import functional as F

from lenrek.models.m5 import m5


def test_logits_equal_the_network_written_out():
    torch.manual_seed(0)
    network = m5(7, 2, 1).double().eval()
    randomize_norms(network)
    weights = dict(network.state_dict())
    signal = torch.randn(2, 2, 2500, dtype=torch.float64)
    x = signal
    for layer, stride, padding in ((0, 4, 39), (2, 1, 1), (4, 1, 1), (6, 1, 1)):
        x = F.conv1d(x, weights[f"features.{layer}.0.weight"], stride=stride, padding=padding)
        x = F.max_pool1d(F.relu(normalized(x, weights, f"features.{layer}.1")), 4)
    torch.testing.assert_close(network(signal), x.mean(2) @ weights["fc.weight"].T + weights["fc.bias"])


def test_parameters():
    weights = 128 * 80 + 128 * 128 * 3 + 256 * 128 * 3 + 512 * 256 * 3
    norms = 2 * (128 + 128 + 256 + 512)
    assert count_parameters(m5(10, 1, 1)) == weights + norms + 512 * 10 + 10  # 558,090: the paper says 0.5 million


@pytest.mark.parametrize(("samples", "positions"), [(1022, 1), (8000, 7), (32000, 31)])
def test_positions_behind_the_last_pooling(samples, positions):
    assert m5(10, 1, 1).features(torch.zeros(2, 1, samples)).shape == (2, 512, positions)


def test_trains():
    check_trains("m5", (2500,))


def test_minimum_size():
    check_minimum("m5", 1)
