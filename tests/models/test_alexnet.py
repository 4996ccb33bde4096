import pytest
import torch
from network_checks import check_minimum, check_trains, count_parameters
from torch.nn import functional as F

from lenrek.models.alexnet import AlexNet


def test_parameters_and_keys_are_those_of_the_public_checkpoint():
    with torch.device("meta"):
        network = AlexNet(1000, 3, 2)
    assert count_parameters(network) == 61_100_840
    shapes = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items() if key.endswith("weight")}
    assert shapes == {
        "features.0.weight": (64, 3, 11, 11),
        "features.3.weight": (192, 64, 5, 5),
        "features.6.weight": (384, 192, 3, 3),
        "features.8.weight": (256, 384, 3, 3),
        "features.10.weight": (256, 256, 3, 3),
        "classifier.1.weight": (4096, 9216),
        "classifier.4.weight": (4096, 4096),
        "classifier.6.weight": (1000, 4096),
    }


def test_logits_equal_the_network_written_out():
    torch.manual_seed(0)
    network = AlexNet(5, 2, 2).eval()
    w = dict(network.state_dict())

    def convolve(x, layer, **window):
        return F.relu(F.conv2d(x, w[f"features.{layer}.weight"], w[f"features.{layer}.bias"], **window))

    def connect(x, layer):
        return F.linear(x, w[f"classifier.{layer}.weight"], w[f"classifier.{layer}.bias"])

    x = torch.randn(2, 2, 130, 97)
    y = F.max_pool2d(convolve(x, 0, stride=4, padding=2), 3, 2)
    y = F.max_pool2d(convolve(y, 3, padding=2), 3, 2)
    y = convolve(convolve(convolve(y, 6, padding=1), 8, padding=1), 10, padding=1)
    y = F.adaptive_avg_pool2d(F.max_pool2d(y, 3, 2), 6).flatten(1)
    y = connect(F.relu(connect(F.relu(connect(y, 1)), 4)), 6)
    torch.testing.assert_close(network(x), y)


@pytest.mark.parametrize("size", [(100,), (64, 85)])
def test_every_parameter_gets_a_gradient(size):
    check_trains("alexnet", size)


@pytest.mark.parametrize("ndim", [1, 2])
def test_minimum_is_true(ndim):
    check_minimum("alexnet", ndim)


def test_in_three_dimensions_27_places_are_left():
    with torch.device("meta"):
        network = AlexNet(5, 2, 3)
        assert network.classifier[1].in_features == 256 * 27
        assert network(torch.empty(1, 2, 63, 64, 70)).shape == (1, 5)
        with pytest.raises(RuntimeError, match="size"):
            network(torch.empty(1, 2, 63, 62, 70))
