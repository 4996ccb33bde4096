"""Transposed convolutional layers: PyTorch's in every respect, and what they take beyond."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from torch.nn.utils.parametrizations import weight_norm

import oracles
from lenrek import nn
from lenrek.errors import OptionError, ShapeError

SIZE, KERNEL, STRIDE, PADDING, EXTRA, DILATION = (4, 3, 5), (3, 2, 4), (3, 2, 1), (1, 2, 0), (2, 1, 0), (1, 4, 2)
PYTORCH = {1: torch.nn.ConvTranspose1d, 2: torch.nn.ConvTranspose2d, 3: torch.nn.ConvTranspose3d}
OURS = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
NDIMS = pytest.mark.parametrize("ndim", [1, 2, 3])


def both(ndim, *arguments, **options):
    """PyTorch's layer and ours, each made right after the same seed."""
    made = []
    for kind in (PYTORCH[ndim], OURS[ndim]):
        torch.manual_seed(0)
        made.append(kind(*arguments, **options))
    return made


def positional(ndim):
    """All of PyTorch's arguments in its order, unequal on every axis."""
    per_axis = (KERNEL[:ndim], STRIDE[:ndim], PADDING[:ndim], EXTRA[:ndim])
    return 4, 6, *per_axis, 2, True, DILATION[:ndim], "zeros", "cpu", torch.float64


def values(ndim, channels=4, dtype=torch.float64):
    return torch.randn(2, channels, *SIZE[:ndim], dtype=dtype, generator=torch.Generator().manual_seed(1))


@NDIMS
def test_it_replaces_pytorchs(ndim):
    theirs, ours = both(ndim, *positional(ndim))
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
def test_a_seed_gives_the_same_weights_and_state_dicts_go_both_ways(ndim):
    theirs, ours = both(ndim, 2, 4, 3, bias=False)
    assert torch.equal(ours.weight, theirs.weight)
    theirs, ours = both(ndim, 2, 4, 3, stride=2)
    assert torch.equal(ours.weight, theirs.weight)
    assert torch.equal(ours.bias, theirs.bias)
    x = values(ndim, 2, torch.float32)
    ours.load_state_dict(PYTORCH[ndim](2, 4, 3).state_dict())
    theirs.load_state_dict(ours.state_dict())
    torch.testing.assert_close(ours(x), theirs(x))


@NDIMS
def test_the_size_wanted_is_given_as_in_pytorch(ndim):
    theirs, ours = both(ndim, 4, 6, KERNEL[:ndim], STRIDE[:ndim], PADDING[:ndim], EXTRA[:ndim], dilation=2)
    x = values(ndim, dtype=torch.float32)
    least = [(n - 1) * s - 2 * p + 2 * (k - 1) + 1
             for n, s, p, k in zip(SIZE, STRIDE, PADDING, KERNEL, strict=True)][:ndim]  # fmt: skip
    for more in range(3):
        wanted = [n + min(more, s - 1) for n, s in zip(least, STRIDE, strict=False)]
        expected = theirs(x, output_size=wanted)
        assert list(expected.shape[2:]) == wanted
        for size in (wanted, torch.Size([2, 6, *wanted])):
            torch.testing.assert_close(ours(x, size), expected)
        torch.testing.assert_close(ours(x[0], output_size=[6, *wanted]), expected[0])
        torch.testing.assert_close(ours(x[0], output_size=wanted), expected[0])


@pytest.mark.parametrize("boundary", ["zeros", "reflect", "symmetric", "replicate", "circular"])
@pytest.mark.parametrize(
    ("padding", "sides"),
    [
        ("same", ((2, 2), (1, 2))),
        ("same_lower", ((2, 2), (2, 1))),
        ("full", ((4, 4), (3, 3))),
        ("causal", ((4, 0), (3, 0))),
        (((1, 3), 2), ((1, 3), (2, 2))),
    ],
)
def test_it_is_the_adjoint_of_the_forward_layer_for_every_boundary(padding, sides, boundary):
    """Its matrix is the transpose of the loop's, and with the same weights it is the adjoint of `Conv2d`."""
    options = {"stride": (2, 3), "padding": padding, "dilation": (2, 1), "groups": 2, "padding_mode": boundary,
               "bias": False, "dtype": torch.float64}  # fmt: skip
    down, up = nn.Conv2d(6, 4, (3, 4), **options), nn.ConvTranspose2d(4, 6, (3, 4), **options)
    up.load_state_dict(down.state_dict())
    size, weight = (9, 8), up.weight.detach().numpy()
    u = torch.randn(2, 6, *size, dtype=torch.float64)
    v = torch.randn_like(down(u))
    matrix = oracles.filter_matrix(weight, size, (2, 3), sides, (2, 1), 2, boundary)
    expected = torch.from_numpy(v.flatten(1).numpy() @ matrix).reshape(u.shape)
    torch.testing.assert_close(up(v, output_size=size).detach(), expected)
    torch.testing.assert_close((down(u) * v).sum(), (u * up(v, output_size=size)).sum())
    assert up.padding == down.padding


@pytest.mark.parametrize("ndim", [1, 2, 3, 4])
def test_kernel_size_says_how_many_axes(ndim):
    layer = nn.ConvTranspose(2, 3, (3, 2, 1, 2)[:ndim], (2, 1, 3, 1)[:ndim], bias=True, dtype=torch.float64)
    x = torch.randn(2, 2, *(3, 2, 2, 3)[:ndim], dtype=torch.float64)
    size = tuple((n - 1) * s + k for n, s, k in zip(x.shape[2:], layer.stride, layer.kernel_size, strict=True))
    matrix = oracles.filter_matrix(layer.weight.detach().numpy(), size, layer.stride, ((0, 0),) * ndim, (1,) * ndim, 1)
    expected = torch.from_numpy(x.flatten(1).numpy() @ matrix).reshape(2, 3, *size)
    torch.testing.assert_close(layer(x), expected + layer.bias.reshape(3, *[1] * ndim))
    if ndim <= 3:
        fixed = OURS[ndim](2, 3, layer.kernel_size, layer.stride, dtype=torch.float64)
        fixed.load_state_dict(layer.state_dict())
        torch.testing.assert_close(fixed(x), layer(x))


def test_copies_pickles_and_channels_last():
    theirs, ours = both(2, 4, 6, 3, 2, 1)
    x = values(2, dtype=torch.float32).contiguous(memory_format=torch.channels_last)
    for layer in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours)), ours.to(memory_format=torch.channels_last)):
        assert repr(layer) == repr(theirs)
        y = layer(x)
        assert y.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(y, theirs(x))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_short_types(dtype):
    theirs, ours = both(2, 4, 6, 3, 2, 1)
    x = values(2).to(dtype)
    given = ours.to(dtype)(x)
    assert given.dtype == dtype
    torch.testing.assert_close(given, theirs.to(dtype)(x), rtol=0.01, atol=0.01)


def test_compiled_in_one_graph_exported_and_without_data():
    layer = nn.ConvTranspose2d(4, 6, (3, 2), 2, "same", 1, 2, padding_mode="circular")
    x = values(2, dtype=torch.float32)
    expected = layer(x)
    assert expected.shape == (2, 6, 8, 6)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), expected)
    (given,) = torch.autograd.grad(compiled(x).square().sum(), layer.weight)
    (wanted,) = torch.autograd.grad(layer(x).square().sum(), layer.weight)
    torch.testing.assert_close(given, wanted)
    torch.testing.assert_close(torch.export.export(layer, (x,)).module()(x), expected)
    assert layer.to("meta")(x.to("meta")).shape == expected.shape


def test_hooks_and_parametrisation():
    theirs, ours = both(1, 4, 6, 3, 2)
    seen = []
    ours.register_forward_hook(lambda module, inputs, output: seen.append((inputs[0].shape, output.shape)))
    x = values(1, dtype=torch.float32)
    torch.testing.assert_close(weight_norm(ours)(x), weight_norm(theirs)(x))
    assert seen == [((2, 4, 4), (2, 6, 9))]
    assert list(ours.state_dict()) == list(theirs.state_dict())


@pytest.mark.parametrize("method", ["direct", "gemm", "fft", "matrix"])
def test_every_method_is_handed_on(method, monkeypatch):
    layer = nn.ConvTranspose1d(4, 6, 3, 2, method=method, dtype=torch.float64)
    asked = []
    computed = nn.conv_transposed.correlate_transposed

    def recorded(*arguments, method, **options):
        asked.append(method)
        return computed(*arguments, method=method, **options)

    monkeypatch.setattr(nn.conv_transposed, "correlate_transposed", recorded)
    x = values(1)
    torch.testing.assert_close(layer(x), torch.nn.functional.conv_transpose1d(x, layer.weight, layer.bias, 2))
    assert asked == [method]
    assert repr(layer) == f"ConvTranspose1d(4, 6, kernel_size=(3,), stride=(2,), method={method})"


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nn.ConvTranspose2d(4, 4, 3, padding_mode=0.5), OptionError,
         "ConvTranspose2d: boundary is 0.5, but only linear maps have an adjoint, expected zeros or a name.\n"
         '  Hint: the adjoint of the linear part is that of boundary="zeros".'),
        (lambda: nn.ConvTranspose2d(4, 4, 3, output_padding=-1), OptionError,
         "ConvTranspose2d: output_padding (-1, -1) is -1 on axis 0, expected at least 0."),
        (lambda: nn.ConvTranspose2d(4, 3, 3, groups=2), ShapeError,
         "ConvTranspose2d: out_channels is 3, expected a multiple of groups=2."),
        (lambda: nn.ConvTranspose(4, 4, 3), OptionError,
         "ConvTranspose: kernel_size is 3, expected a sequence with one size per axis."),
        (lambda: nn.ConvTranspose1d(4, 4, 3, 2)(torch.zeros(1, 4, 5), (13,)), ShapeError,
         "correlate_transposed: output_size is 13 on axis 0, expected 11 to 11 + stride − 1 = 11 + 2 − 1 = 12."),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(make, error, message):
    with pytest.raises(error) as raised:
        make()
    assert str(raised.value) == message
