"""Correlation and convolution against plain loops, SciPy and PyTorch, by every method."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
import torch
from hypothesis import given, settings
from strategies import BOUNDARIES, Problem, problems
from torch.nn import functional as F

import oracles
from lenrek.errors import OptionError, ShapeError
from lenrek.kernels import library
from lenrek.ops import choose_method, convolve, correlate

METHODS = ("auto", "direct", "gemm", "fft", "matrix")


def close(a, b, **kwargs):
    torch.testing.assert_close(a, torch.as_tensor(b), **kwargs)


def looped(p: Problem, weight: torch.Tensor) -> torch.Tensor:
    bias = None if p.bias is None else p.bias.numpy()
    return torch.from_numpy(
        oracles.correlate(p.x.numpy(), weight.numpy(), bias, p.stride, p.sides, p.dilation, p.groups, p.boundary)
    )


@settings(max_examples=60, deadline=None)
@given(problems())
def test_every_method_is_the_loop(p):
    expected = looped(p, p.weight)
    for method in METHODS:
        close(correlate(p.x, p.weight, p.bias, **p.options, method=method), expected)
        close(correlate(p.x[0], p.weight, p.bias, **p.options, method=method), expected[0])


@settings(max_examples=30, deadline=None)
@given(problems())
def test_convolution_flips_every_axis(p):
    flipped = p.weight[(slice(None), slice(None), *[slice(None)] * p.ndim)].numpy()
    flipped = torch.from_numpy(flipped[(slice(None), slice(None), *[slice(None, None, -1)] * p.ndim)].copy())
    close(convolve(p.x, p.weight, p.bias, **p.options), looped(p, flipped))


@settings(max_examples=30, deadline=None)
@given(problems(boundaries=("zeros",), ndims=(1, 2, 3)))
def test_it_is_what_pytorch_computes(p):
    shared = [min(side) for side in p.sides]
    theirs = (F.conv1d, F.conv2d, F.conv3d)[p.ndim - 1](
        F.pad(p.x, [n for side in reversed(p.sides) for n in side]), p.weight, p.bias, p.stride, 0, p.dilation, p.groups
    )
    assert len(shared) == p.ndim
    for method in METHODS:
        close(correlate(p.x, p.weight, p.bias, **p.options, method=method), theirs)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("mode", ["full", "valid"])
@pytest.mark.parametrize("size", [((7,), (4,)), ((5, 6), (2, 3)), ((4, 3, 5), (2, 3, 2)), ((3, 4, 3, 3), (2, 2, 1, 3))])
def test_scipy_agrees(method, mode, size, rng):
    x, w = (rng.standard_normal(s) for s in size)
    tensors = torch.from_numpy(x)[None, None], torch.from_numpy(w)[None, None]
    close(convolve(*tensors, padding=mode, method=method)[0, 0], scipy.signal.convolve(x, w, mode, method="direct"))
    close(correlate(*tensors, padding=mode, method=method)[0, 0], scipy.signal.correlate(x, w, mode, method="direct"))


@pytest.mark.parametrize(
    ("boundary", "name"), [("zeros", "fill"), (0.5, "fill"), ("symmetric", "symm"), ("circular", "wrap")]
)
@pytest.mark.parametrize("mode", ["full", "same"])
def test_scipys_boundaries(boundary, name, mode, rng):
    x, w = rng.standard_normal((6, 7)), rng.standard_normal((3, 5))
    fill = {"fillvalue": boundary} if boundary == 0.5 else {}
    theirs = scipy.signal.correlate2d(x, w, mode, name, **fill)
    ours = correlate(torch.from_numpy(x)[None], torch.from_numpy(w)[None, None], padding=mode, boundary=boundary)
    close(ours[0], theirs)


@pytest.mark.parametrize(
    ("boundary", "name"),
    [
        ("reflect", "mirror"),
        ("symmetric", "reflect"),
        ("replicate", "nearest"),
        ("circular", "wrap"),
        (0.3, "constant"),
    ],
)
def test_ndimages_boundaries(boundary, name, rng):
    x, w = rng.standard_normal((6, 5, 7)), rng.standard_normal((3, 5, 3))
    ours = correlate(torch.from_numpy(x)[None], torch.from_numpy(w)[None, None], padding="same", boundary=boundary)
    close(ours[0], scipy.ndimage.correlate(x, w, mode=name, cval=0.3))


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("padding", ["valid", "same", "same_upper", "same_lower", "full", "causal"])
def test_a_stride_keeps_every_nth_of_stride_one(padding, boundary, rng):
    x = torch.from_numpy(rng.standard_normal((2, 3, 11, 12)))
    w = torch.from_numpy(rng.standard_normal((4, 3, 4, 3)))
    options = {"padding": padding, "boundary": boundary, "dilation": (1, 2)}
    dense = correlate(x, w, **options)
    close(correlate(x, w, stride=(3, 2), **options), dense[..., ::3, ::2])
    size = {"valid": (8, 8), "full": (14, 16)}.get(padding, (11, 12))
    assert dense.shape[2:] == size


def test_same_and_causal_know_their_side():
    x, w = torch.eye(5).unsqueeze(1)[2:3], torch.tensor([[[1.0, 2.0, 3.0, 4.0]]])  # an impulse at 2
    assert correlate(x, w, padding="same").flatten().tolist() == [4, 3, 2, 1, 0]
    assert correlate(x, w, padding="same_lower").flatten().tolist() == [0, 4, 3, 2, 1]
    assert correlate(x, w, padding="causal").flatten().tolist() == [0, 0, 4, 3, 2]
    assert convolve(x, w.flip(2), padding="causal").flatten().tolist() == [0, 0, 4, 3, 2]


def test_circular_wraps_as_often_as_asked(rng):
    x, w = rng.standard_normal(3), rng.standard_normal(11)
    tiled = np.pad(x, (7, 9), mode="wrap")
    ours = correlate(torch.from_numpy(x)[None], torch.from_numpy(w)[None, None], padding=[(7, 9)], boundary="circular")
    close(ours[0], scipy.signal.correlate(tiled, w, "valid"))


@settings(max_examples=25, deadline=None)
@given(problems(ndims=(1, 2, 3)))
def test_gradients_are_the_loops_differences(p):
    """The gradients of one method are those of another, PyTorch's among them, to second order."""
    results = []
    for method in METHODS:
        x, w = p.x.clone().requires_grad_(), p.weight.clone().requires_grad_()
        y = correlate(x, w, **p.options, method=method)
        first = torch.autograd.grad((y**3).sum(), (x, w), create_graph=True)
        second = torch.autograd.grad(sum((g * g).sum() for g in first), (x, w))
        results.append((*first, *second))
    for other in results[:1] + results[2:]:
        for a, b in zip(other, results[1], strict=True):
            close(a, b, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_gradcheck(method, dtype):
    torch.manual_seed(0)
    x = torch.randn(2, 4, 5, 4, dtype=dtype, requires_grad=True)
    w = torch.randn(6, 2, 3, 2, dtype=dtype, requires_grad=True)
    b = torch.randn(6, dtype=dtype, requires_grad=True)

    def f(x, w, b):
        return correlate(x, w, b, (2, 1), ((2, 1), (0, 2)), (1, 2), 2, boundary="reflect", method=method)

    assert torch.autograd.gradcheck(f, (x, w, b))
    assert torch.autograd.gradgradcheck(f, (x, w, b))


@pytest.mark.parametrize("method", ["auto", "gemm", "matrix"])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64])
def test_integers_are_summed_without_overflow(method, dtype):
    x, w = torch.full((1, 2, 6), 100, dtype=dtype), torch.full((3, 2, 3), 120, dtype=dtype)
    y = correlate(x, w, torch.tensor([1, 2, 3], dtype=dtype), method=method)
    assert y.dtype == torch.int64
    assert y.tolist() == [[[72001] * 4, [72002] * 4, [72003] * 4]]


@pytest.mark.parametrize("method", METHODS)
def test_complex_values_are_not_conjugated(method):
    x, w = torch.tensor([[1 + 2j, 3j, 4.0]]), torch.tensor([[[1j, 2.0]]])
    expected = [[1j * (1 + 2j) + 2 * 3j, 1j * 3j + 8]]
    close(correlate(x, w, method=method), torch.tensor(expected))


@pytest.mark.parametrize("method", METHODS)
def test_the_type_stays(method):
    for dtype in (torch.float64, torch.float32):
        x, w = torch.randn(1, 1, 40, dtype=dtype), torch.randn(1, 1, 21, dtype=dtype)
        assert correlate(x, w, method=method).dtype == dtype
    x, w = torch.randn(1, 1, 400).double(), torch.randn(1, 1, 210).double()
    exact = np.correlate(x.flatten().numpy(), w.flatten().numpy(), "valid")
    assert np.abs(correlate(x, w, method=method).flatten().numpy() - exact).max() < 1e-12


@pytest.mark.parametrize("method", METHODS)
def test_channels_last_stays(method):
    x = torch.randn(2, 3, 8, 9).contiguous(memory_format=torch.channels_last)
    w = torch.randn(4, 3, 3, 2)
    y = correlate(x, w, torch.randn(4), padding=1, boundary="symmetric", method=method)
    assert y.is_contiguous(memory_format=torch.channels_last)
    y = correlate(x.contiguous(), w, torch.randn(4), padding=1, boundary="symmetric", method=method)
    assert y.is_contiguous()


@pytest.mark.parametrize("method", METHODS)
def test_an_empty_batch_gives_an_empty_batch(method):
    x, w = torch.zeros(0, 3, 8, 9, requires_grad=True), torch.randn(4, 3, 3, 2, requires_grad=True)
    y = correlate(x, w, torch.randn(4), padding=1, method=method)
    y.sum().backward()
    assert y.shape == (0, 4, 8, 10)
    assert w.grad is not None
    assert w.grad.count_nonzero() == 0


@pytest.mark.parametrize("method", ["auto", "direct", "gemm", "fft"])
def test_autocast_computes_in_its_type(method):
    x, w, b = torch.randn(2, 3, 40, 30), torch.randn(4, 3, 5, 7), torch.randn(4)
    exact = correlate(x.double(), w.double(), b.double())
    with torch.autocast("cpu", torch.bfloat16):
        y = correlate(x, w.requires_grad_(), b, method=method)
    assert y.dtype == torch.bfloat16
    close(y.double(), exact, rtol=0.05, atol=0.2)
    y.sum().backward()
    assert w.grad is not None
    assert w.grad.dtype == torch.float32


@pytest.mark.parametrize("method", ["auto", "direct", "gemm", "fft"])
@pytest.mark.parametrize("boundary", ["zeros", "circular"])
def test_compiled_whole(method, boundary):
    def f(x, w, b):
        return correlate(x, w, b, (2, 1), ("same", (0, 3)), (1, 2), 2, boundary=boundary, method=method)

    x, w, b = torch.randn(2, 4, 9, 8), torch.randn(6, 2, 3, 3, requires_grad=True), torch.randn(6)
    compiled = torch.compile(f, fullgraph=True, backend="aot_eager")
    close(compiled(x, w, b), f(x, w, b))
    (for_compiled,) = torch.autograd.grad(compiled(x, w, b).square().sum(), w)
    (for_eager,) = torch.autograd.grad(f(x, w, b).square().sum(), w)
    close(for_compiled, for_eager)


@pytest.mark.parametrize("method", ["auto", "direct", "gemm", "fft"])
def test_exported_and_on_meta(method):
    class Layer(torch.nn.Module):
        def forward(self, x, w):
            return correlate(x, w, padding="same", boundary="reflect", method=method)

    x, w = torch.randn(2, 4, 40, 38), torch.randn(6, 4, 3, 21)
    close(torch.export.export(Layer(), (x, w)).module()(x, w), Layer()(x, w))
    assert Layer()(x.to("meta"), w.to("meta")).shape == (2, 6, 40, 38)


def test_vmap_and_per_sample_gradients():
    x, w = torch.randn(5, 1, 60), torch.randn(2, 1, 31)

    def loss(w, x):
        return correlate(x, w, method="fft").square().sum()

    together = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(w, x)
    one_by_one = torch.stack([torch.func.grad(loss)(w, sample) for sample in x])
    close(together, one_by_one, rtol=1e-4, atol=1e-4)


def test_auto_says_what_it_chose():
    x, w = torch.zeros(8, 16, 4096), torch.zeros(16, 1, 255)
    with library.using(None):
        choice = choose_method(x, w, groups=16, padding="same")
    assert (choice.forward, choice.input_gradient, choice.weight_gradient) == ("fft", "direct", "fft")
    assert choice.kind == "depthwise"
    assert all(costs.direct > 0 and costs.fft > 0 for costs in choice.costs)
    assert "ms fft (depthwise)" in str(choice)
    assert choose_method(x.long(), w.long(), groups=16).forward == "gemm"
    assert choose_method(x.to("meta"), w.to("meta"), groups=16).forward == "direct"


@pytest.mark.parametrize(
    ("x", "w", "options", "error", "message"),
    [
        (
            (1, 3, 8, 8),
            (3, 1, 3, 3),
            {},
            ShapeError,
            "correlate: x has 3 channels, but weight (3, 1, 3, 3) with groups=1 expects 1 · 1 = 1.\n"
            "  x: (1, 3, 8, 8) = (batch, in_channels, *in_size)\n"
            "  Hint: for a depthwise convolution pass groups=3.",
        ),
        (
            (1, 5, 8),
            (4, 3, 3),
            {},
            ShapeError,
            "correlate: x has 5 channels, but weight (4, 3, 3) with groups=1 expects 1 · 3 = 3.\n"
            "  x: (1, 5, 8) = (batch, in_channels, *in_size)",
        ),
        (
            (1, 3, 5, 9),
            (4, 3, 3, 3),
            {"dilation": (3, 1)},
            ShapeError,
            "correlate: on axis 0 the window covers 3·(3 − 1) + 1 = 7 samples, "
            "but the padded input has 0 + 5 + 0 = 5.\n"
            "  Hint: give the input 2 more samples or as much padding, or make the kernel smaller.",
        ),
        ((8,), (4, 3, 3), {}, ShapeError, "correlate: x (8,) has 1 axes, but weight (4, 3, 3) is for 1-D, expected 3: "
         "(batch, in_channels, *in_size), or 2 without the batch."),
        ((1, 3, 8), (4, 3), {}, ShapeError, "correlate: weight (4, 3) has 2 axes, expected at least 3: "
         "(out_channels, in_channels/groups, *kernel_size)."),
        ((1, 4, 8), (3, 2, 3), {"groups": 2}, ShapeError,
         "correlate: weight (3, 2, 3) has 3 channels first, expected a multiple of groups=2."),
        ((1, 3, 8), (4, 3, 3), {"groups": 0}, OptionError,
         "correlate: groups is 0, expected an integer of at least 1."),
        ((1, 3, 8), (4, 3, 3), {"stride": 0}, OptionError,
         "correlate: stride (0,) is 0 on axis 0, expected at least 1."),
        ((1, 3, 8), (4, 3, 3), {"stride": (1, 2)}, ShapeError,
         "correlate: stride (1, 2) is for 2 axes, expected 1 axis."),
        ((1, 3, 3), (4, 3, 3), {"padding": 3, "boundary": "reflect"}, ShapeError,
         'correlate: on axis 0 padding (3, 3) with boundary="reflect" needs at least as many samples to mirror, '
         "but 3 samples give 3 − 1 = 2.\n"
         '  Hint: boundary="circular" and boundary="replicate" reach as far as wanted.'),
        ((1, 3, 8), (4, 3, 3), {"boundary": "wrap"}, OptionError,
         "correlate: boundary is 'wrap', expected one of zeros, reflect, symmetric, replicate, circular, or a number.\n"
         '  Hint: did you mean "circular"?'),
        ((1, 3, 8), (4, 3, 3), {"boundary": "constant"}, OptionError,
         "correlate: boundary is 'constant', expected one of zeros, reflect, symmetric, replicate, circular, "
         "or a number.\n  Hint: for a constant boundary pass the number itself, as boundary=0.5."),
        ((1, 3, 8), (4, 3, 3), {"method": "fourier"}, OptionError,
         "correlate: method is 'fourier', expected one of auto, direct, gemm, fft, matrix."),
        ((1, 3, 8), (4, 3, 3), {"method": "gem"}, OptionError,
         "correlate: method is 'gem', expected one of auto, direct, gemm, fft, matrix.\n"
         '  Hint: did you mean "gemm"?'),
        ((1, 3, 8), (4, 3, 3), {"bias": torch.zeros(3)}, ShapeError,
         "correlate: bias (3,), expected one value per output channel: (4,)."),
    ],
)  # fmt: skip
def test_errors(x, w, options, error, message):
    with pytest.raises(error) as caught:
        correlate(torch.zeros(x), torch.zeros(w), **options)
    assert str(caught.value) == message


def test_types_are_refused_by_name():
    x, w = torch.zeros(1, 3, 8), torch.zeros(4, 3, 3)
    with pytest.raises(OptionError, match=r"x is torch\.bool, expected a floating, complex or integer type"):
        correlate(x.bool(), w)
    with pytest.raises(OptionError, match=r"x is torch\.float64, but weight is torch\.float32, expected the same"):
        correlate(x.double(), w)
    with pytest.raises(OptionError, match=r'method is "fft", but x is torch\.int64'):
        correlate(x.long(), w.long(), method="fft")


def test_half_types():
    x, w = torch.randn(1, 2, 300), torch.randn(3, 2, 101)
    for dtype, method in itertools.product((torch.bfloat16, torch.float16), ("auto", "fft")):
        y = correlate(x.to(dtype), w.to(dtype), method=method)
        assert y.dtype == dtype
        close(y.float(), correlate(x.to(dtype).float(), w.to(dtype).float()), rtol=0.01, atol=0.1)
