import pytest
import torch
from network_checks import check_trains, count_parameters, normalized, randomize_norms
from torch.nn import functional as F

from lenrek.models.registry import ARCHITECTURES
from lenrek.models.vgg import VGG

NAMES = [f"vgg{depth}{suffix}" for depth in (11, 13, 16, 19) for suffix in ("", "_bn")]


def on_meta(name, num_classes, in_channels, ndim):
    with torch.device("meta"):
        return ARCHITECTURES[name].build(num_classes, in_channels, ndim)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("vgg11", 132_863_336),
        ("vgg13", 133_047_848),
        ("vgg16", 138_357_544),
        ("vgg19", 143_667_240),
        ("vgg11_bn", 132_868_840),
        ("vgg13_bn", 133_053_736),
        ("vgg16_bn", 138_365_992),
        ("vgg19_bn", 143_678_248),
    ],
)
def test_parameters_are_those_of_the_public_checkpoints(name, parameters):
    assert count_parameters(on_meta(name, 1000, 3, 2)) == parameters


@pytest.mark.parametrize(
    ("name", "convolutions"),
    [
        ("vgg11", [0, 3, 6, 8, 11, 13, 16, 18]),
        ("vgg16", [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]),
        ("vgg16_bn", [0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40]),
        ("vgg19", [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34]),
    ],
)
def test_keys_are_those_of_the_public_checkpoints(name, convolutions):
    shapes = {key: tuple(tensor.shape) for key, tensor in on_meta(name, 1000, 3, 2).state_dict().items()}
    kernels = [key for key, shape in shapes.items() if shape[2:] == (3, 3)]
    assert kernels == [f"features.{i}.weight" for i in convolutions]
    norms = [key for key in shapes if key.endswith("running_mean")]
    assert norms == ([f"features.{i + 1}.running_mean" for i in convolutions] if name.endswith("_bn") else [])
    assert [shapes[f"classifier.{i}.weight"] for i in (0, 3, 6)] == [(4096, 25088), (4096, 4096), (1000, 4096)]


@pytest.mark.parametrize(("batch_norm", "size"), [(True, (45, 70)), (False, (100,))])
def test_logits_equal_the_network_written_out(batch_norm, size):
    torch.manual_seed(0)
    ndim = len(size)
    network = VGG(11, 5, 2, ndim, batch_norm=batch_norm).eval()
    randomize_norms(network)
    w = dict(network.state_dict())
    x = torch.randn(2, 2, *size)
    y = x
    index = 0
    for convolutions in (1, 1, 2, 2, 2):
        for _ in range(convolutions):
            convolve = F.conv2d if ndim == 2 else F.conv1d
            y = convolve(y, w[f"features.{index}.weight"], w[f"features.{index}.bias"], padding=1)
            y = F.relu(normalized(y, w, f"features.{index + 1}") if batch_norm else y)
            index += 3 if batch_norm else 2
        y = F.max_pool2d(y, 2) if ndim == 2 else F.max_pool1d(y, 2)
        index += 1
    y = (F.adaptive_avg_pool2d if ndim == 2 else F.adaptive_avg_pool1d)(y, 7).flatten(1)
    for i in (0, 3, 6):
        y = F.linear(y, w[f"classifier.{i}.weight"], w[f"classifier.{i}.bias"])
        y = F.relu(y) if i < 6 else y
    torch.testing.assert_close(network(x), y, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "size"), [("vgg11", (40, 33)), ("vgg16_bn", (70,)), ("vgg13", (32, 40, 33))])
def test_every_parameter_gets_a_gradient(name, size):
    check_trains(name, size)


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("name", NAMES)
def test_minimum_is_true(name, ndim):
    network = on_meta(name, 5, 2, ndim)
    smallest = ARCHITECTURES[name].min_size
    assert network(torch.empty(2, 2, *[smallest] * ndim, device="meta")).shape == (2, 5)
    for axis in range(ndim):
        size = [smallest] * ndim
        size[axis] -= 1
        with pytest.raises(RuntimeError, match=r"too small|Invalid computed output size"):
            network(torch.empty(2, 2, *size, device="meta"))


def test_in_three_dimensions_27_places_are_left():
    assert on_meta("vgg16", 5, 2, 3).classifier[0].in_features == 512 * 27


def test_new_weights_are_as_documented():
    torch.manual_seed(0)
    network = VGG(11, 5, 3, 1, batch_norm=False)
    assert network.classifier[3].weight.std().item() == pytest.approx(0.01, rel=0.01)
    assert network.features[8].weight.std().item() == pytest.approx((2 / (256 * 3)) ** 0.5, rel=0.01)
    assert not any(p.any() for name, p in network.named_parameters() if name.endswith("bias"))
