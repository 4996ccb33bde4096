import pytest
import torch
from network_checks import check_minimum, check_trains, count_parameters, normalized, randomize_norms
from torch.nn import functional as F

from lenrek.models.resnet import resnet18, resnet18_cifar, resnet34, resnet50

CONVOLVE = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


def residual_network(weights, x, *, stem_stride, pool):
    """The network from the paper's Table 1 and nothing but its weights, in the order torchvision's key names give."""
    convolve = CONVOLVE[x.ndim - 2]

    def layer(x, convolution, norm, stride=1):
        kernel = weights[f"{convolution}.weight"]
        return normalized(convolve(x, kernel, None, stride, kernel.shape[-1] // 2), weights, norm)

    x = F.relu(layer(x, "conv1", "bn1", stem_stride))
    x = pool(x)
    for stage in range(1, 5):
        block = 0
        while f"layer{stage}.{block}.conv1.weight" in weights:
            name = f"layer{stage}.{block}"
            stride = 2 if stage > 1 and block == 0 else 1
            if f"{name}.conv3.weight" in weights:
                y = F.relu(layer(x, f"{name}.conv1", f"{name}.bn1"))
                y = F.relu(layer(y, f"{name}.conv2", f"{name}.bn2", stride))
                y = layer(y, f"{name}.conv3", f"{name}.bn3")
            else:
                y = F.relu(layer(x, f"{name}.conv1", f"{name}.bn1", stride))
                y = layer(y, f"{name}.conv2", f"{name}.bn2")
            if f"{name}.downsample.0.weight" in weights:
                x = layer(x, f"{name}.downsample.0", f"{name}.downsample.1", stride)
            x = F.relu(x + y)
            block += 1
    return x.flatten(2).mean(2) @ weights["fc.weight"].T + weights["fc.bias"]


@pytest.mark.parametrize(
    ("build", "size", "stem_stride", "pool"),
    [
        (resnet18, (37, 50), 2, lambda x: F.max_pool2d(x, 3, 2, 1)),
        (resnet18, (90,), 2, lambda x: F.max_pool1d(x, 3, 2, 1)),
        (resnet18, (17, 20, 33), 2, lambda x: F.max_pool3d(x, 3, 2, 1)),
        (resnet34, (37, 50), 2, lambda x: F.max_pool2d(x, 3, 2, 1)),
        (resnet50, (37, 50), 2, lambda x: F.max_pool2d(x, 3, 2, 1)),
        (resnet50, (90,), 2, lambda x: F.max_pool1d(x, 3, 2, 1)),
        (resnet18_cifar, (9, 14), 1, lambda x: x),
    ],
)
def test_logits_equal_the_network_written_out_from_its_keys(build, size, stem_stride, pool):
    torch.manual_seed(1)
    network = build(7, 4, len(size)).double().eval()
    randomize_norms(network)
    x = torch.randn(2, 4, *size, dtype=torch.float64)
    expected = residual_network(dict(network.state_dict()), x, stem_stride=stem_stride, pool=pool)
    torch.testing.assert_close(network(x), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("build", "parameters", "keys"),
    [(resnet18, 11_689_512, 122), (resnet34, 21_797_672, 218), (resnet50, 25_557_032, 320)],
)
def test_parameters_and_keys_are_those_of_the_public_checkpoints(build, parameters, keys):
    network = build(1000, 3, 2)
    assert count_parameters(network) == parameters
    assert len(network.state_dict()) == keys


def test_keys_are_named_and_ordered_as_in_the_public_checkpoints():
    keys = list(resnet50(10, 3, 2).state_dict())
    norm = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    assert keys[:6] == ["conv1.weight", *(f"bn1.{name}" for name in norm)]
    block = "layer1.0"
    first = [f"{block}.conv1.weight", *(f"{block}.bn1.{n}" for n in norm)]
    first += [f"{block}.conv2.weight", *(f"{block}.bn2.{n}" for n in norm)]
    first += [f"{block}.conv3.weight", *(f"{block}.bn3.{n}" for n in norm)]
    first += [f"{block}.downsample.0.weight", *(f"{block}.downsample.1.{n}" for n in norm)]
    assert keys[6:30] == first
    assert keys[30] == "layer1.1.conv1.weight"
    assert keys[-2:] == ["fc.weight", "fc.bias"]


def test_resnet18_projects_only_where_channels_change():
    downsamples = [key for key in resnet18(10, 3, 2).state_dict() if key.endswith("downsample.0.weight")]
    assert downsamples == [f"layer{stage}.0.downsample.0.weight" for stage in (2, 3, 4)]


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("resnet18", (70,)),
        ("resnet18", (33, 50)),
        ("resnet18", (17, 20, 9)),
        ("resnet18_cifar", (13, 20)),
        ("resnet34", (33, 50)),
        ("resnet50", (33, 50)),
    ],
)
def test_trains(name, size):
    check_trains(name, size)


@pytest.mark.parametrize(("name", "ndim"), [("resnet18", 1), ("resnet18", 2), ("resnet18_cifar", 3), ("resnet50", 1)])
def test_minimum_size(name, ndim):
    check_minimum(name, ndim)
