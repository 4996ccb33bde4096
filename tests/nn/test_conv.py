"""Convolutional layers: PyTorch's in every respect, and what they take beyond."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.nn.utils.parametrizations import weight_norm

import oracles
from lenrek import nn
from lenrek.errors import OptionError, ShapeError
from lenrek.models import layers
from lenrek.models.create import ARCHITECTURES

SIZE, KERNEL, STRIDE, PADDING, DILATION = (9, 8, 7), (3, 2, 1), (2, 1, 3), (1, 2, 0), (2, 3, 1)
MODES = ("zeros", "reflect", "replicate", "circular")
PYTORCH = {1: torch.nn.Conv1d, 2: torch.nn.Conv2d, 3: torch.nn.Conv3d}
OURS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
NDIMS = pytest.mark.parametrize("ndim", [1, 2, 3])


def both(ndim, *arguments, seed=0, **options):
    """PyTorch's layer and ours, each made right after the same seed."""
    made = []
    for kind in (PYTORCH[ndim], OURS[ndim]):
        torch.manual_seed(seed)
        made.append(kind(*arguments, **options))
    return made


def positional(ndim, mode):
    """All of PyTorch's arguments in its order, unequal on every axis."""
    return 4, 6, KERNEL[:ndim], STRIDE[:ndim], PADDING[:ndim], DILATION[:ndim], 2, True, mode, "cpu", torch.float64


def values(ndim, channels=4, dtype=torch.float64):
    return torch.randn(2, channels, *SIZE[:ndim], dtype=dtype, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("mode", MODES)
@NDIMS
def test_it_replaces_pytorchs(ndim, mode):
    theirs, ours = both(ndim, *positional(ndim, mode))
    assert isinstance(ours, PYTORCH[ndim])
    assert list(ours.state_dict()) == ["weight", "bias"]
    assert repr(ours) == repr(theirs)
    for name in ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups",
                 "padding_mode", "transposed", "output_padding", "_reversed_padding_repeated_twice"):  # fmt: skip
        assert list(np.atleast_1d(getattr(ours, name))) == list(np.atleast_1d(getattr(theirs, name))), name
    results = []
    for layer in (theirs, ours):
        x = values(ndim).requires_grad_()
        y = layer(x)
        results.append((y, *torch.autograd.grad((y**3).sum(), (x, layer.weight, layer.bias)), layer(x[0])))
    for expected, given in zip(*results, strict=True):
        torch.testing.assert_close(given, expected)


@NDIMS
def test_a_seed_gives_the_same_weights_and_leaves_the_same_random_numbers(ndim):
    after = []
    for kind in (PYTORCH[ndim], OURS[ndim]):
        torch.manual_seed(7)
        layer = kind(3, 5, 3)
        without = kind(3, 5, 3, bias=False)
        layer_again = copy.deepcopy(layer)
        layer_again.reset_parameters()
        after.append((layer.weight, layer.bias, without.weight, layer_again.weight, torch.rand(3)))
    for expected, given in zip(*after, strict=True):
        assert torch.equal(given, expected)


@NDIMS
def test_state_dicts_go_both_ways(ndim):
    theirs, ours = PYTORCH[ndim](2, 4, 3), OURS[ndim](2, 4, 3)
    x = values(ndim, 2, torch.float32)
    ours.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(ours(x), theirs(x))
    other = OURS[ndim](2, 4, 3)
    theirs.load_state_dict(other.state_dict())
    torch.testing.assert_close(theirs(x), other(x))


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")  # PyTorch's copies an even kernel's input
@pytest.mark.parametrize(("kernel", "dilation"), [(3, 1), (4, 1), ((2, 5), (3, 1))])
def test_pytorchs_named_paddings(kernel, dilation):
    for padding in ("same", "valid"):
        theirs, ours = both(2, 2, 3, kernel, padding=padding, dilation=dilation)
        x = torch.randn(2, 2, 12, 11)
        torch.testing.assert_close(ours(x), theirs(x))
        assert repr(ours) == repr(theirs)
        assert ours.padding == padding
        assert ours._reversed_padding_repeated_twice == theirs._reversed_padding_repeated_twice


@pytest.mark.parametrize("boundary", ["zeros", "reflect", "symmetric", "replicate", "circular", 0.75])
@pytest.mark.parametrize(
    ("padding", "sides"),
    [
        ("same", ((2, 2), (1, 2))),
        ("same_lower", ((2, 2), (2, 1))),
        ("full", ((4, 4), (3, 3))),
        ("causal", ((4, 0), (3, 0))),
        (((1, 3), 2), ((1, 3), (2, 2))),
        (("causal", (0, 1)), ((4, 0), (0, 1))),
    ],
)
def test_more_than_pytorchs_take(padding, sides, boundary):
    layer = nn.Conv2d(4, 6, (3, 4), (2, 3), padding, (2, 1), 2, padding_mode=boundary, dtype=torch.float64)
    x = values(2)
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    expected = oracles.correlate(x.numpy(), weight, bias, (2, 3), sides, (2, 1), 2, boundary)
    torch.testing.assert_close(layer(x).detach(), torch.from_numpy(expected))
    assert layer.padding == (padding if isinstance(padding, str) else tuple(b if b == a else (b, a) for b, a in sides))


@pytest.mark.parametrize("ndim", [1, 2, 3, 4])
def test_kernel_size_says_how_many_axes(ndim):
    layer = nn.Conv(4, 6, (3, 2, 1, 2)[:ndim], (2, 1, 3, 1)[:ndim], (1, 2, 0, 1)[:ndim], groups=2, dtype=torch.float64)
    x = torch.randn(2, 4, *(5, 4, 3, 3)[:ndim], dtype=torch.float64)
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    sides = tuple((p, p) for p in layer.padding)
    expected = oracles.correlate(x.numpy(), weight, bias, layer.stride, sides, layer.dilation, 2)
    torch.testing.assert_close(layer(x).detach(), torch.from_numpy(expected))
    if ndim <= 3:
        fixed = OURS[ndim](4, 6, layer.kernel_size, layer.stride, layer.padding, groups=2, dtype=torch.float64)
        fixed.load_state_dict(layer.state_dict())
        torch.testing.assert_close(fixed(x), layer(x))


@pytest.mark.parametrize("method", ["direct", "gemm", "fft", "matrix"])
def test_every_method_is_handed_on(method, monkeypatch):
    layer = nn.Conv1d(4, 6, 3, padding="same", method=method, dtype=torch.float64)
    asked = []
    computed = nn.conv.correlate

    def recorded(*arguments, method, **options):
        asked.append(method)
        return computed(*arguments, method=method, **options)

    monkeypatch.setattr(nn.conv, "correlate", recorded)
    x = values(1)
    torch.testing.assert_close(layer(x), torch.nn.functional.conv1d(x, layer.weight, layer.bias, padding=1))
    assert asked == [method]
    assert repr(layer) == f"Conv1d(4, 6, kernel_size=(3,), stride=(1,), padding=same, method={method})"


def test_copies_and_pickles():
    layer = nn.Conv2d(4, 6, (3, 2), padding=("causal", 1), padding_mode=0.5, dtype=torch.float64)
    x = values(2)
    for again in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert again.weight is not layer.weight
        assert torch.equal(again(x), layer(x))
        assert repr(again) == repr(layer)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_short_types(dtype):
    theirs, ours = both(2, 4, 6, 3, padding=1)
    x = values(2).to(dtype)
    given, expected = ours.to(dtype)(x), theirs.to(dtype)(x)
    assert given.dtype == dtype
    torch.testing.assert_close(given, expected, rtol=0.01, atol=0.01)


def test_channels_last():
    for ndim, memory_format in ((2, torch.channels_last), (3, torch.channels_last_3d)):
        theirs, ours = (layer.to(memory_format=memory_format) for layer in both(ndim, 4, 6, 3, padding=1))
        assert ours.weight.is_contiguous(memory_format=memory_format)
        x = values(ndim, dtype=torch.float32).contiguous(memory_format=memory_format)
        y = ours(x)
        assert y.is_contiguous(memory_format=memory_format)
        torch.testing.assert_close(y, theirs(x))


def test_compiled_in_one_graph_exported_and_without_data():
    layer = nn.Conv2d(4, 6, (3, 2), 2, padding="same", padding_mode="symmetric", groups=2)
    x = values(2, dtype=torch.float32)
    expected = layer(x)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), expected)
    (given,) = torch.autograd.grad(compiled(x).square().sum(), layer.weight)
    (wanted,) = torch.autograd.grad(layer(x).square().sum(), layer.weight)
    torch.testing.assert_close(given, wanted)
    torch.testing.assert_close(torch.export.export(layer, (x,)).module()(x), expected)
    without_data = nn.Conv2d(4, 6, 3, padding="full", device="meta")
    assert without_data.weight.is_meta
    assert without_data(x.to("meta")).shape == (2, 6, 11, 10)


def test_hooks_and_parametrisation():
    theirs, ours = both(1, 4, 6, 3, padding=2, dilation=2)
    seen = []
    ours.register_forward_hook(lambda module, inputs, output: seen.append((inputs[0].shape, output.shape)))
    x = values(1, dtype=torch.float32)
    torch.testing.assert_close(weight_norm(ours)(x), weight_norm(theirs)(x))
    assert seen == [((2, 4, 9), (2, 6, 9))]
    assert list(ours.state_dict()) == list(theirs.state_dict())
    with torch.no_grad():
        ours.parametrizations.weight.original0 *= 2
    torch.testing.assert_close(ours(x), 2 * theirs(x) - theirs.bias[:, None])


def test_pytorchs_tools_know_it():
    layer, norm = nn.Conv2d(4, 6, 3, padding="causal", padding_mode="circular").eval(), torch.nn.BatchNorm2d(6).eval()
    torch.nn.init.uniform_(norm.running_var, 0.5, 2)
    torch.nn.init.normal_(norm.running_mean)
    x = values(2, dtype=torch.float32)
    torch.testing.assert_close(fuse_conv_bn_eval(layer, norm)(x), norm(layer(x)), rtol=1e-4, atol=1e-5)
    state = {name: 2 * value for name, value in layer.state_dict().items()}
    torch.testing.assert_close(torch.func.functional_call(layer, state, (x,)), 2 * layer(x))


SOME = ("resnet18", "mobilenet_v2", "squeezenet1_1", "aspp", "dilated_context")
NETWORKS = [(name, found.ndims[0]) for name, found in ARCHITECTURES.items()] + [(n, d) for n in SOME for d in (2, 3)]


@pytest.mark.parametrize(("name", "ndim"), NETWORKS)
def test_a_network_built_of_it_is_the_same_network(name, ndim, monkeypatch):
    def built():
        torch.manual_seed(0)
        return ARCHITECTURES[name].build(5, 2, ndim).eval()

    theirs = built()
    for n, ours in OURS.items():
        monkeypatch.setattr(torch.nn, f"Conv{n}d", ours)
        monkeypatch.setitem(layers.Conv, n, ours)
    ours = built()
    kinds = [{type(module) for module in network.modules() if isinstance(module, PYTORCH[ndim])}
             for network in (theirs, ours)]  # fmt: skip
    assert not any(issubclass(kind, nn.Conv) for kind in kinds[0])
    assert kinds[1]
    assert all(issubclass(kind, nn.Conv) for kind in kinds[1])
    for (key, expected), (other, given) in zip(theirs.state_dict().items(), ours.state_dict().items(), strict=True):
        assert key == other
        assert torch.equal(given, expected), key
    x = torch.randn(2, 2, *[max(ARCHITECTURES[name].min_size, 32 if ndim < 3 else 12)] * ndim)
    with torch.no_grad():
        expected = theirs(x)
        torch.testing.assert_close(ours(x), expected, rtol=1e-4, atol=1e-5)
    assert (expected[0] != expected[1]).any()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((3, 4, (3, 3, 3)), ShapeError, "Conv2d: kernel_size (3, 3, 3) is for 3 axes, expected 2 axes."),
        ((3, 4, 3, 0), OptionError, "Conv2d: stride (0, 0) is 0 on axis 0, expected at least 1."),
        ((3, 4, 3, 1, -1), OptionError,
         "Conv2d: padding -1 is negative, expected at least 0.\n  Hint: crop the input instead."),
        ((3, 4, 3, 1, 0, (1, 2, 3)), ShapeError, "Conv2d: dilation (1, 2, 3) is for 3 axes, expected 2 axes."),
        ((3, 4, 3, 1, 0, 1, 2), ShapeError, "Conv2d: in_channels is 3, expected a multiple of groups=2."),
        ((4, 3, 3, 1, 0, 1, 2), ShapeError, "Conv2d: out_channels is 3, expected a multiple of groups=2."),
        ((3, 4, 3, 1, 0, 1, 0), OptionError, "Conv2d: groups (0,) is 0 on axis 0, expected at least 1."),
        ((0, 4, 3), OptionError, "Conv2d: in_channels (0,) is 0 on axis 0, expected at least 1."),
        ((3, 4, 3, 1, 0, 1, 1, True, "wrap"), OptionError,
         "Conv2d: boundary is 'wrap', expected one of zeros, reflect, symmetric, replicate, circular, or a number.\n"
         '  Hint: did you mean "circular"?'),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(arguments, error, message):
    with pytest.raises(error) as raised:
        nn.Conv2d(*arguments)
    assert str(raised.value) == message


def test_more_that_is_refused():
    with pytest.raises(OptionError) as raised:
        nn.Conv(3, 4, 3)
    assert str(raised.value) == "Conv: kernel_size is 3, expected a sequence with one size per axis."
    with pytest.raises(OptionError) as raised:
        nn.Conv1d(3, 4, 3, method="gem")
    assert str(raised.value) == (
        "Conv1d: method is 'gem', expected one of auto, direct, gemm, fft, matrix.\n  Hint: did you mean \"gemm\"?"
    )
