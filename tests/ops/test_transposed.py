"""Transposed correlation and convolution: the adjoint of the forward one at every boundary, by every method."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from strategies import Problem, problems
from torch.nn import functional as F

from lenrek.errors import OptionError, ShapeError
from lenrek.ops import convolve, convolve_transposed, correlate, correlate_transposed

METHODS = ("auto", "direct", "gemm", "fft", "matrix")
LINEAR = ("zeros", "reflect", "symmetric", "replicate", "circular")


def close(a, b, **kwargs):
    torch.testing.assert_close(a, torch.as_tensor(b), **kwargs)


def like(y: torch.Tensor) -> torch.Tensor:
    return torch.randn(y.shape, dtype=y.dtype, generator=torch.Generator().manual_seed(1))


def size(p: Problem) -> tuple[int, ...]:
    return tuple(p.x.shape[2:])


@settings(max_examples=80, deadline=None)
@given(problems(boundaries=LINEAR))
def test_it_is_the_adjoint(p):
    for method in METHODS:
        y = correlate(p.x, p.weight, **p.options, method="direct")
        v = like(y)
        back = correlate_transposed(v, p.weight, **p.options, output_size=size(p), method=method)
        assert back.shape == p.x.shape
        close((y * v).sum(), (p.x * back).sum())
        y = convolve(p.x, p.weight, **p.options)
        close((y * v).sum(), (p.x * convolve_transposed(v, p.weight, **p.options, output_size=size(p))).sum())


@settings(max_examples=40, deadline=None)
@given(problems(boundaries=LINEAR))
def test_it_is_the_gradient_entry_by_entry(p):
    x = p.x.clone().requires_grad_()
    y = correlate(x, p.weight, **p.options, method="gemm")
    v = like(y)
    (expected,) = torch.autograd.grad(y, x, v)
    for method in METHODS:
        args = p.weight, None, p.stride, p.sides, 0, p.groups, p.dilation
        ours = correlate_transposed(v, *args, output_size=size(p), boundary=p.boundary, method=method)
        close(ours, expected)
        close(correlate_transposed(v[0], *args, output_size=size(p), boundary=p.boundary, method=method), expected[0])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("ndim", "stride", "padding", "extra", "dilation"),
    [
        (1, (3,), (2,), (1,), (2,)),
        (2, (2, 3), (1, 2), (1, 2), (2, 1)),
        (2, (1, 1), (2, 0), (0, 0), (1, 3)),
        (3, (2, 1, 3), (1, 0, 2), (0, 1, 2), (1, 2, 1)),
        (3, (1, 1, 1), (1, 2, 0), (0, 0, 0), (1, 1, 2)),
    ],
)
def test_it_is_what_pytorch_computes(method, ndim, stride, padding, extra, dilation):
    torch.manual_seed(0)
    x = torch.randn(2, 4, *(5, 6, 4)[:ndim], dtype=torch.float64)
    w, b = torch.randn(4, 3, *(4, 3, 5)[:ndim], dtype=torch.float64), torch.randn(6, dtype=torch.float64)
    theirs = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[ndim - 1]
    close(
        correlate_transposed(x, w, b, stride, padding, extra, 2, dilation, method=method),
        theirs(x, w, b, stride, padding, extra, 2, dilation),
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_gradcheck(method, dtype):
    torch.manual_seed(0)
    x = torch.randn(2, 4, 3, 4, dtype=dtype, requires_grad=True)
    w = torch.randn(4, 2, 3, 2, dtype=dtype, requires_grad=True)
    b = torch.randn(4, dtype=dtype, requires_grad=True)

    def f(x, w, b):
        options = {"boundary": "circular", "output_size": (6, 3), "method": method}
        return correlate_transposed(x, w, b, (2, 1), ((1, 0), (1, 2)), 0, 2, (1, 2), **options)

    assert torch.autograd.gradcheck(f, (x, w, b))
    assert torch.autograd.gradgradcheck(f, (x, w, b))


def test_same_and_circular_transposed_keep_the_size():
    x, w = torch.randn(1, 2, 7, 6), torch.randn(2, 3, 4, 3)
    for boundary in LINEAR:
        y = correlate_transposed(x, w, padding="same", boundary=boundary)
        assert y.shape == (1, 3, 7, 6)
        y = correlate_transposed(x, w, stride=(2, 3), padding="same", output_size=(14, 17), boundary=boundary)
        assert y.shape == (1, 3, 14, 17)
    impulse = torch.zeros(1, 5)
    impulse[0, 0] = 1
    folded = correlate_transposed(impulse, torch.tensor([[[1.0, 2.0, 4.0]]]), padding="same", boundary="circular")
    assert folded.tolist() == [[2, 4, 0, 0, 1]]


@pytest.mark.parametrize("method", ["auto", "gemm", "matrix"])
def test_integers(method):
    x, w = torch.full((1, 2, 3), 100, dtype=torch.int8), torch.full((2, 1, 2), 120, dtype=torch.int8)
    y = correlate_transposed(x, w, torch.ones(1, dtype=torch.int8), method=method)
    assert y.tolist() == [[[24001, 48001, 48001, 24001]]]


@pytest.mark.parametrize("method", ["auto", "direct", "gemm", "fft"])
def test_compiled_exported_meta_autocast_channels_last_and_empty(method):
    class Layer(torch.nn.Module):
        def forward(self, x, w):
            return correlate_transposed(x, w, None, (2, 1), (1, 2), (1, 0), boundary="replicate", method=method)

    f = Layer()
    x = torch.randn(2, 4, 9, 8).contiguous(memory_format=torch.channels_last)
    w = torch.randn(4, 3, 5, 3, requires_grad=True)
    y = f(x, w)
    assert y.is_contiguous(memory_format=torch.channels_last)
    close(torch.compile(f, fullgraph=True, backend="aot_eager")(x, w), y)
    close(torch.export.export(f, (x, w)).module()(x, w), y)
    assert f(x.to("meta"), w.to("meta")).shape == y.shape
    assert f(x[:0], w).shape == (0, *y.shape[1:])
    with torch.autocast("cpu", torch.bfloat16):
        half = f(x, w)
    assert half.dtype == torch.bfloat16
    close(half.float(), y, rtol=0.05, atol=0.3)


@pytest.mark.parametrize(
    ("x", "w", "options", "error", "message"),
    [
        ((1, 3, 8), (4, 2, 3), {}, ShapeError,
         "correlate_transposed: x has 3 channels, but weight (4, 2, 3) with groups=1 expects 4.\n"
         "  x: (1, 3, 8) = (batch, in_channels, *in_size)"),
        ((1, 4, 8), (4, 2, 3), {"bias": torch.zeros(3), "groups": 2}, ShapeError,
         "correlate_transposed: bias (3,), expected one value per output channel: (4,)."),
        ((1, 4, 8), (4, 2, 3), {"stride": 2, "output_size": (19,)}, ShapeError,
         "correlate_transposed: output_size is 19 on axis 0, expected 17 to 17 + stride − 1 = 17 + 2 − 1 = 18."),
        ((1, 4, 8), (4, 2, 3), {"output_padding": 1}, OptionError,
         "correlate_transposed: output_padding is 1 on axis 0, expected less than max(stride, dilation) "
         "= max(1, 1) = 1."),
        ((1, 4, 8), (4, 2, 3), {"boundary": 1.5}, OptionError,
         "correlate_transposed: boundary is 1.5, but only linear maps have an adjoint, expected zeros or a name.\n"
         '  Hint: the adjoint of the linear part is that of boundary="zeros".'),
    ],
)  # fmt: skip
def test_errors(x, w, options, error, message):
    with pytest.raises(error) as caught:
        correlate_transposed(torch.zeros(x), torch.zeros(w), **options)
    assert str(caught.value) == message
