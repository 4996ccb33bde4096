"""Multiply-accumulates against loops that count those they execute, PyTorch's counter, and published figures.

`FlopCounterMode` counts two operations per multiply-accumulate. Of transposed, grouped, depthwise and dilated
convolutions it is right, padding included; products with vectors, bilinear layers, recurrent layers on a CPU and
PyTorch's attention kernel for CPUs it leaves out without a word.
"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

import explain.published as published
import lenrek.kernels.depthwise  # noqa: F401 (its operators)
from explain.published import NETWORKS
from lenrek.explain.macs import macs
from lenrek.explain.trace import trace
from lenrek.models.create import create_model
from lenrek.models.registry import ARCHITECTURES
from lenrek.nn import Conv2d as OurConv2d


class Computes(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.function(*inputs)


def counted(model: nn.Module, *inputs: Tensor) -> int:
    counts = [macs(call) for call in trace(model, inputs).calls]
    assert None not in counts
    return sum(count or 0 for count in counts)


def flop_counter(model: nn.Module, *inputs: Tensor) -> float:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(*inputs)
    return counter.get_total_flops() / 2


def convolved(x: np.ndarray, weight: np.ndarray, stride, padding, dilation, groups: int) -> tuple[np.ndarray, int]:
    """The convolution of one sample, and how many products were added."""
    x = np.pad(x, [(0, 0), *((p, p) for p in padding)])
    size = [
        (n - d * (k - 1) - 1) // s + 1
        for n, k, s, d in zip(x.shape[1:], weight.shape[2:], stride, dilation, strict=True)
    ]
    y, count = np.zeros((len(weight), *size)), 0
    per_group = len(weight) // groups
    for out in range(len(weight)):
        for position in np.ndindex(*size):
            for channel in range(weight.shape[1]):
                for tap in np.ndindex(*weight.shape[2:]):
                    at = [p * s + t * d for p, s, t, d in zip(position, stride, tap, dilation, strict=True)]
                    source = (out // per_group * weight.shape[1] + channel, *at)
                    y[(out, *position)] += weight[(out, channel, *tap)] * x[source]
                    count += 1
    return y, count


def transposed(x: np.ndarray, weight: np.ndarray, stride, padding, dilation, extra, groups: int):
    """The transposed convolution of one sample, and how many products were added."""
    full = [
        (n - 1) * s + d * (k - 1) + 1 + e
        for n, s, d, k, e in zip(x.shape[1:], stride, dilation, weight.shape[2:], extra, strict=True)
    ]
    y, count = np.zeros((weight.shape[1] * groups, *full)), 0
    per_group = len(weight) // groups
    for channel in range(len(weight)):
        for position in np.ndindex(*x.shape[1:]):
            for out in range(weight.shape[1]):
                for tap in np.ndindex(*weight.shape[2:]):
                    at = [p * s + t * d for p, s, t, d in zip(position, stride, tap, dilation, strict=True)]
                    y[(channel // per_group * weight.shape[1] + out, *at)] += (
                        weight[(channel, out, *tap)] * x[(channel, *position)]
                    )
                    count += 1
    cut = tuple(slice(p, n - p) for p, n in zip(padding, full, strict=True))
    return y[(slice(None), *cut)], count


@st.composite
def problems(draw):
    ndim = draw(st.integers(1, 3))

    def per_axis(low, high):
        return tuple(draw(st.lists(st.integers(low, high), min_size=ndim, max_size=ndim, unique=high - low >= ndim)))

    groups = draw(st.integers(1, 3))
    channels = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 3))
    most = 3 if ndim == 3 else 4
    kernel, stride, padding = per_axis(1, most), per_axis(1, 3), per_axis(0, 2)
    dilation = per_axis(1, 2 if ndim == 3 else 3)
    size = tuple(
        max(n, d * (k - 1) + 1 - 2 * p) for n, d, k, p in zip(per_axis(2, 6), dilation, kernel, padding, strict=True)
    )
    return channels, groups, kernel, stride, padding, dilation, size, draw(st.integers(1, 3))


@settings(max_examples=60, deadline=None)
@given(problems())
def test_convolutions_count_what_loops_execute(problem):
    (in_channels, out_channels), groups, kernel, stride, padding, dilation, size, batch = problem
    layer = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[len(size) - 1](
        in_channels, out_channels, kernel, stride, padding, dilation, groups, dtype=torch.float64
    )
    x = torch.randn(in_channels, *size, dtype=torch.float64)
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    y, count = convolved(x.numpy(), weight, stride, padding, dilation, groups)
    np.testing.assert_allclose(y + bias.reshape(-1, *[1] * len(size)), layer(x[None])[0].detach(), atol=1e-10)
    assert counted(layer, x.expand(batch, *x.shape)) == batch * count
    assert counted(layer, x) == count  # without a batch axis
    assert flop_counter(layer, x.expand(batch, *x.shape)) == batch * count


@settings(max_examples=60, deadline=None)
@given(problems())
def test_transposed_convolutions_count_what_loops_execute(problem):
    (in_channels, out_channels), groups, kernel, stride, padding, dilation, size, batch = problem
    extra = tuple(max(s, d) - 1 for s, d in zip(stride, dilation, strict=True))
    padding = tuple(min(p, (d * (k - 1) + e) // 2) for p, d, k, e in zip(padding, dilation, kernel, extra, strict=True))
    layer = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)[len(size) - 1](
        in_channels, out_channels, kernel, stride, padding, extra, groups, False, dilation, dtype=torch.float64
    )
    x = torch.randn(in_channels, *size, dtype=torch.float64)
    y, count = transposed(x.numpy(), layer.weight.detach().numpy(), stride, padding, dilation, extra, groups)
    np.testing.assert_allclose(y, layer(x[None])[0].detach(), atol=1e-10)
    assert counted(layer, x.expand(batch, *x.shape)) == batch * count
    assert flop_counter(layer, x.expand(batch, *x.shape)) == batch * count


PRODUCTS = {  # → function, shapes, multiply-accumulates
    "mm": (torch.mm, [(3, 5), (5, 7)], 3 * 5 * 7),
    "matmul, batch of one": (torch.matmul, [(2, 3, 5), (5, 7)], 2 * 3 * 5 * 7),
    "matmul, broadcast": (torch.matmul, [(4, 1, 3, 5), (2, 5, 7)], 4 * 2 * 3 * 5 * 7),
    "bmm": (torch.bmm, [(2, 3, 5), (2, 5, 7)], 2 * 3 * 5 * 7),
    "mv": (torch.mv, [(3, 5), (5,)], 15),
    "dot": (torch.dot, [(5,), (5,)], 5),
    "vdot": (torch.vdot, [(5,), (5,)], 5),
    "addmm": (torch.addmm, [(7,), (3, 5), (5, 7)], 105),
    "addmm_": (lambda a, b, c: (a * 1).addmm_(b, c), [(3, 7), (3, 5), (5, 7)], 105),
    "addmv": (torch.addmv, [(3,), (3, 5), (5,)], 15),
    "baddbmm": (torch.baddbmm, [(2, 3, 7), (2, 3, 5), (2, 5, 7)], 210),
    "addbmm": (torch.addbmm, [(3, 7), (2, 3, 5), (2, 5, 7)], 210),
    "linear": (F.linear, [(2, 3, 5), (7, 5), (7,)], 210),
    "linear of a vector": (F.linear, [(5,), (7, 5)], 35),
    "bilinear": (F.bilinear, [(2, 3), (2, 5), (7, 3, 5)], 210),
    "tensordot": (lambda a, b: torch.tensordot(a, b, 2), [(2, 3, 5), (3, 5, 7)], 210),
    "einsum": (lambda a, b: torch.einsum("bik,kjb->ij", a, b), [(2, 3, 5), (5, 7, 2)], 210),
    "einsum, batched": (lambda a, b: torch.einsum("bhqe,bhke->bhqk", a, b), [(2, 3, 5, 4), (2, 3, 7, 4)], 840),
    "attention": (F.scaled_dot_product_attention, [(2, 3, 5, 8), (2, 3, 7, 8), (2, 3, 7, 6)], 6 * 5 * 7 * (8 + 6)),
    "attention's kernel for CPUs": (
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu, [(2, 3, 5, 8), (2, 3, 7, 8), (2, 3, 7, 8)],
        6 * 5 * 7 * (8 + 8),
    ),
    "attention's kernel with narrower values": (
        lambda q, k, v: torch.ops.aten._scaled_dot_product_fused_attention_overrideable(q, k, v, None)[0],
        [(2, 3, 5, 8), (2, 3, 7, 8), (2, 3, 7, 6)], 6 * 5 * 7 * (8 + 6),
    ),
    "embedding": (lambda table: F.embedding(torch.tensor([1, 2]), table), [(5, 7)], 0),
    "softmax, norms, pooling": (lambda x: F.max_pool2d(F.instance_norm(x).softmax(1), 2), [(2, 3, 8, 8)], 0),
    "grid_sample": (lambda x: F.grid_sample(x, F.affine_grid(torch.eye(2, 3)[None], [1, 1, 4, 5])), [(1, 3, 8, 8)], 0),
}  # fmt: skip


@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.filterwarnings("ignore:Default grid_sample")
def test_products(name):
    function, shapes, expected = PRODUCTS[name]
    assert counted(Computes(function), *(torch.empty(shape) for shape in shapes)) == expected


def test_recurrent_layers():
    length, batch, features, hidden = 6, 5, 3, 4
    x = torch.empty(length, batch, features)
    for layer, gates in ((nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)):
        one = gates * hidden * (features + hidden)
        assert counted(layer(features, hidden), x) == length * batch * one
        both = 2 * (one + gates * hidden * (2 * hidden + hidden))
        assert counted(layer(features, hidden, num_layers=2, bidirectional=True), x) == length * batch * both


def test_what_pytorchs_counter_leaves_out():
    assert flop_counter(Computes(torch.mv), torch.randn(3, 5), torch.randn(5)) == 0
    assert flop_counter(Computes(torch.dot), torch.randn(5), torch.randn(5)) == 0
    assert flop_counter(Computes(F.bilinear), torch.randn(2, 3), torch.randn(2, 5), torch.randn(7, 3, 5)) == 0
    heads = [torch.randn(2, 3, 5, 8)] * 3
    assert flop_counter(Computes(F.scaled_dot_product_attention), *heads) == 0


@pytest.mark.parametrize("name", NETWORKS)
def test_other_peoples_networks(name):
    network, size = NETWORKS[name]()
    x = torch.empty(2, *size, device="meta")
    network.eval().to("meta")
    assert counted(network, x) == flop_counter(network, x) > 0


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_our_architectures(name):
    architecture = ARCHITECTURES[name]
    ndim = architecture.ndims[-1]
    with torch.device("meta"):
        network = create_model(name, num_classes=5, in_channels=2, ndim=ndim).eval()
    x = torch.empty(3, 2, *[architecture.min_size + axis for axis in range(ndim)], device="meta")
    assert counted(network, x) == flop_counter(network, x) > 0


@pytest.mark.parametrize("options", [{}, {"groups": 4}, {"padding": "same", "padding_mode": "circular"}])
def test_our_layers_cost_what_pytorchs_do(options):
    x = torch.empty(2, 4, 9, 11)
    assert counted(OurConv2d(4, 8, (3, 5), **options), x) == counted(nn.Conv2d(4, 8, (3, 5), **options), x)


PUBLISHED = {  # at 224² with 1000 classes: parameters, and 10⁹ multiply-accumulates as torchvision lists them
    "alexnet": (61_100_840, 0.71), "vgg11": (132_863_336, 7.61), "vgg16": (138_357_544, 15.47),
    "vgg16_bn": (138_365_992, 15.47), "vgg19": (143_667_240, 19.63), "resnet18": (11_689_512, 1.81),
    "resnet34": (21_797_672, 3.66), "resnet50": (25_557_032, 4.09), "mobilenet_v2": (3_504_872, 0.30),
    "squeezenet1_1": (1_235_496, 0.35),
    "GoogLeNet": (6_624_904, 1.50), "DenseNet": (7_978_856, 2.83), "ResNeXt": (25_028_904, 4.23),
    "ShuffleNetV2": (2_278_604, 0.14), "MobileNetV3": (2_542_856, 0.06), "EfficientNet": (5_288_548, 0.39),
    "ConvNeXt": (28_589_128, 4.46), "ViT": (86_567_656, 17.56), "Swin": (28_288_354, 4.49),
    "InceptionV3": (23_834_568, 5.71),
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_figures(name):
    with torch.device("meta"):
        ours = name in ARCHITECTURES
        network = create_model(name, num_classes=1000, in_channels=3) if ours else getattr(published, name)()
    parameters, giga = PUBLISHED[name]
    size = 299 if name == "InceptionV3" else 224
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    assert round(counted(network.eval(), torch.empty(1, 3, size, size)) / 1e9, 2) == giga


@pytest.mark.parametrize("function", [torch.fft.fft2, torch.linalg.inv, lambda x: torch.cdist(x, x)])
def test_what_is_not_known_is_not_zero(function):
    counts = [macs(call) for call in trace(Computes(function), [torch.empty(2, 4, 4)]).calls]
    assert None in counts


def test_another_librarys_operator_is_not_known():
    twice = torch.library.custom_op(
        "tests_of_macs::twice", lambda x: x * 2, mutates_args=(), schema="(Tensor x) -> Tensor"
    )
    twice.register_fake(torch.empty_like)
    counts = [macs(call) for call in trace(Computes(lambda x: twice(x) + 1), [torch.empty(2, 3)]).calls]
    assert counts == [None, 0]


def test_our_depthwise_kernels_cost_a_product_per_output_and_weight():
    how = (2, 1), (1, 2), (1, 2)  # stride, padding, dilation of a 3×5 kernel: 9×11 becomes 5×7
    x, weight, y = torch.empty(2, 4, 9, 11), torch.empty(4, 1, 3, 5), torch.empty(2, 4, 5, 7)
    forward, back = torch.ops.lenrek.depthwise_forward, torch.ops.lenrek.depthwise_input_gradient
    products = 2 * 4 * (5 * 7) * (3 * 5)
    assert counted(Computes(lambda x, weight: forward(x, weight, None, (5, 7), *how)), x, weight) == products
    assert counted(Computes(lambda y, weight: back(y, weight, (9, 11), *how)), y, weight) == products
