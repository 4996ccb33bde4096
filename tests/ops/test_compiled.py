"""Depthwise correlations that the compiled kernels compute, by the public operators, against PyTorch in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lenrek.kernels import library
from lenrek.ops import choose_method, correlate, correlate_transposed

pytestmark = pytest.mark.skipif(not library.available(), reason=library.active().reason)
CORRELATE = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
CASES = {
    1: ((600,), (7,), {"stride": (2,), "padding": (5,), "dilation": (3,)}),
    2: ((19, 23), (5, 4), {"stride": (1, 2), "padding": (2, 3), "dilation": (2, 1)}),
    3: ((7, 9, 8), (3, 2, 3), {"stride": (1, 2, 1), "padding": (1, 0, 2), "dilation": (1, 1, 2)}),
}


def tensors(ndim: int, channels: int = 24) -> tuple[Tensor, Tensor, Tensor]:
    size, kernel, _ = CASES[ndim]
    draw = torch.Generator().manual_seed(ndim)
    x, weight = torch.randn(2, channels, *size, generator=draw), torch.randn(channels, 1, *kernel, generator=draw)
    return x, weight, torch.randn(channels, generator=draw)


def derivatives(y: Tensor, leaves: list[Tensor]) -> list[Tensor]:
    """The value, its gradients and theirs."""
    first = torch.autograd.grad(y.square().sum(), leaves, create_graph=True)
    second = torch.autograd.grad(sum(g.square().sum() for g in first), leaves)
    return [y, *first, *second]


def check(ours, theirs, leaves: list[Tensor], tolerance: float = 1e-4) -> None:
    exact = [leaf.detach().double().requires_grad_() for leaf in leaves]
    found = derivatives(ours(*leaves), leaves)
    for f, e in zip(found, derivatives(theirs(*exact), exact), strict=True):
        assert (f.double() - e).abs().max() <= tolerance * e.abs().max()


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("layout", ["channels first", "channels last"])
def test_correlate(ndim, layout):
    x, weight, bias = tensors(ndim)
    if layout == "channels last":
        x = x.movedim(1, -1).contiguous().movedim(-1, 1)
    options = CASES[ndim][2] | {"groups": 24}
    choice = choose_method(x, weight, **options)
    assert choice.methods.weight_gradient == choice.methods.input_gradient == "kernel"
    assert choice.way(True) == "kernel"
    leaves = [t.requires_grad_() for t in (x, weight, bias)]
    check(lambda *t: correlate(*t, **options), lambda *t: CORRELATE[ndim](*t, **options), leaves)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_correlate_transposed(ndim):
    x, weight, bias = tensors(ndim)
    options = CASES[ndim][2] | {"groups": 24}
    leaves = [t.requires_grad_() for t in (x, weight, bias)]
    check(lambda *t: correlate_transposed(*t, **options), lambda *t: TRANSPOSED[ndim](*t, **options), leaves)


def test_uneven_sides_other_boundaries_and_no_batch():
    x, weight, bias = tensors(2)
    leaves = [x[0].requires_grad_(), weight.requires_grad_(), bias.requires_grad_()]

    def ours(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return correlate(x, weight, bias, padding=[(1, 4), (3, 0)], groups=24, boundary="reflect")

    def theirs(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.conv2d(F.pad(x.unsqueeze(0), (3, 0, 1, 4), "reflect"), weight, bias, groups=24).squeeze(0)

    check(ours, theirs, leaves)


def test_the_memory_format_is_kept_with_gradients():
    x, weight, _ = tensors(2)
    for memory_format in (torch.contiguous_format, torch.channels_last):
        leaf = x.contiguous(memory_format=memory_format).requires_grad_()
        y = correlate(leaf, weight.requires_grad_(), padding=(2, 1), groups=24)
        assert y.is_contiguous(memory_format=memory_format)
        assert torch.autograd.grad(y, leaf, torch.ones_like(y))[0].is_contiguous(memory_format=memory_format)


def test_a_remembered_choice_outlives_the_library():
    x, weight, bias = tensors(1)
    with_kernels = correlate(x, weight, bias, padding=3, groups=24)
    with library.using(None):
        without = correlate(x, weight, bias, padding=3, groups=24)
        assert choose_method(x, weight, padding=3, groups=24).forward == "direct"
    torch.testing.assert_close(with_kernels, without)


def test_few_channels_and_many_kernels_per_channel_stay_with_pytorch():
    x, weight, _ = tensors(1)
    assert "kernel" not in choose_method(x[:, :7].repeat(9, 1, 1), weight[:7], groups=7)
    assert "kernel" not in choose_method(x[:, :12], weight, groups=12)
    assert "kernel" in choose_method(x[:, :8].repeat(9, 1, 1), weight[:8], groups=8)


@pytest.mark.filterwarnings("ignore")  # of the compiler's own
def test_compiles_as_one_graph_and_exports_without_own_operators():
    class Layer(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return correlate(x, weight, bias, padding=3, groups=24)

    x, weight, bias = tensors(1)
    weight.requires_grad_()
    compiled = torch.compile(Layer(), fullgraph=True, backend="aot_eager")
    (found,) = torch.autograd.grad(compiled(x).sin().sum(), weight)
    (expected,) = torch.autograd.grad(Layer()(x).sin().sum(), weight)
    torch.testing.assert_close(found, expected)
    weight.requires_grad_(False)
    exported = torch.export.export(Layer(), (x,))
    assert not any("lenrek" in str(node.target) for node in exported.graph.nodes)
    torch.testing.assert_close(exported.module()(x), Layer()(x), rtol=1e-4, atol=1e-4)


def test_transforms_of_functions():
    x, weight, bias = tensors(1)

    def loss(weight: Tensor, x: Tensor) -> Tensor:
        return correlate(x, weight, bias, padding=3, groups=24).square().sum()

    together = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(weight, x)
    leaf = weight.detach().requires_grad_()
    one_by_one = torch.stack([torch.autograd.grad(loss(leaf, sample), leaf)[0] for sample in x])
    torch.testing.assert_close(together, one_by_one, rtol=1e-4, atol=1e-3)


def test_autocast():
    x, weight, bias = tensors(1)
    with torch.autocast("cpu", torch.bfloat16):
        y = correlate(x, weight.requires_grad_(), bias, padding=3, groups=24)
    y.float().sum().backward()
    assert (y.dtype, weight.grad.dtype) == (torch.bfloat16, torch.float32)
    torch.testing.assert_close(y.float(), correlate(x, weight, bias, padding=3, groups=24), rtol=0.02, atol=0.05)
