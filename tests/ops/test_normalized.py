"""Normalised correlation: plain loops, invariance, perfect matches, constant windows, large offsets, gradients."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lenrek.errors import OptionError, ShapeError
from lenrek.ops.layout import Layout
from lenrek.ops.normalized import normalized_correlate, window_sums
from oracles import normalized_correlate as oracle

BOUNDARIES = ("zeros", "reflect", "symmetric", "replicate", "circular", 0.5)


@st.composite
def problems(draw):
    """Arguments of normalized_correlate, unequal per axis; few values, so that constant windows are among them."""
    ndim = draw(st.integers(1, 3))
    kernel = draw(st.lists(st.integers(1, 4), min_size=ndim, max_size=ndim))
    dilation = draw(st.lists(st.integers(1, 2), min_size=ndim, max_size=ndim))
    stride = tuple(draw(st.lists(st.integers(1, 3), min_size=ndim, max_size=ndim)))
    size = [draw(st.integers(max(d * (k - 1) + 1, 2), d * (k - 1) + 3)) for d, k in zip(dilation, kernel, strict=True)]
    sides = tuple((draw(st.integers(0, min(2, n - 1))), draw(st.integers(0, min(2, n - 1)))) for n in size)
    groups, per_group, outputs = draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.integers(0, draw(st.sampled_from([2, 9])), (draw(st.integers(0, 2)), groups * per_group, *size))
    template = rng.integers(0, 3, (groups * outputs, per_group, *kernel))
    options = (stride, sides, tuple(dilation), groups)
    return x.astype(np.float64), template.astype(np.float64), options, draw(st.sampled_from(BOUNDARIES))


@settings(max_examples=60, deadline=None)
@given(problems(), st.sampled_from(["auto", "fft", "direct"]))
def test_equals_plain_loops(problem, method):
    x, template, options, boundary = problem
    stride, sides, dilation, groups = options
    y = normalized_correlate(
        torch.from_numpy(x),
        torch.from_numpy(template),
        stride=stride,
        padding=sides,
        dilation=dilation,
        groups=groups,
        boundary=boundary,
        method=method,
    )
    np.testing.assert_allclose(y.numpy(), oracle(x, template, *options, boundary=boundary), atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 13), st.integers(1, 3), st.integers(1, 3), st.integers(0, 5))
def test_window_sums_are_sums_over_windows(kernel, stride, dilation, more):
    x = torch.arange(dilation * (kernel - 1) + 1 + more) ** 2
    expected = x.unfold(0, dilation * (kernel - 1) + 1, stride)[:, ::dilation].sum(1)
    assert torch.equal(window_sums(x, (kernel,), Layout((stride,), ((0, 0),), (dilation,), 1)), expected)


def test_a_match_scores_one_at_its_place_whatever_gain_and_offset():
    torch.manual_seed(0)
    x = torch.randn(1, 3, 40, 30)
    template = -0.01 * x[:, :, 11:22, 5:12] + 7
    y = normalized_correlate(x, template)
    assert y.abs().max() <= 1
    assert y[0, 0, 11, 5] == pytest.approx(-1, abs=1e-6)
    assert y.argmin() == 11 * y.shape[-1] + 5
    torch.testing.assert_close(normalized_correlate(3 * x - 5, template), y, atol=1e-5, rtol=0)


@pytest.mark.parametrize("method", ["direct", "fft"])
def test_offsets_and_bright_places_elsewhere_cost_no_accuracy(method):
    rng = np.random.default_rng(0)
    x = (1e4 + 1e-1 * rng.standard_normal((1, 1, 24, 20))).astype(np.float32)
    x[..., 14:, :] -= 2e4
    template = (1e4 + 1e-1 * rng.standard_normal((2, 1, 5, 4))).astype(np.float32)
    y = normalized_correlate(torch.from_numpy(x), torch.from_numpy(template), method=method)
    expected = oracle(x.astype(np.float64), template.astype(np.float64), (1, 1), ((0, 0),) * 2, (1, 1), 1)
    np.testing.assert_allclose(y.numpy(), expected, atol=1e-5)


def test_an_offset_in_float64():
    rng = np.random.default_rng(0)
    x, template = 2.0**30 + rng.standard_normal((1, 1, 30)), rng.standard_normal((1, 1, 4))
    y = normalized_correlate(torch.from_numpy(x), torch.from_numpy(template))
    np.testing.assert_allclose(y.numpy(), oracle(x - 2.0**30, template, (1,), ((0, 0),), (1,), 1), atol=1e-9)


def test_rounding_never_leaves_the_interval():
    torch.manual_seed(0)
    x = torch.randn(1, 1, 300, dtype=torch.float64)
    matches = normalized_correlate(x, x[0].unfold(1, 5, 1).movedim(1, 0))[0].diagonal()
    assert matches.max() == 1
    assert matches.min() > 1 - 1e-12


@pytest.mark.parametrize("method", ["direct", "fft"])
@pytest.mark.parametrize("offset", [0.0, 0.1, 1e4 / 3])
def test_constant_windows_and_templates_score_zero(method, offset):
    torch.manual_seed(0)
    x = torch.full((1, 1, 30, 30), offset)
    x[..., 20:] += torch.randn(10)
    template = torch.randn(2, 1, 7, 7)
    template[1] = 0.3
    y = normalized_correlate(x, template, method=method)
    assert (y[0, 0, :, :14] == 0).all()
    assert (y[0, 0, :, 14:] != 0).all()
    assert (y[0, 1] == 0).all()


def test_gradients_to_second_order_and_zero_at_constant_windows():
    torch.manual_seed(0)
    x = torch.randn(2, 4, 6, 5, dtype=torch.float64, requires_grad=True)
    template = torch.randn(4, 2, 3, 2, dtype=torch.float64, requires_grad=True)

    def function(x, template):
        return normalized_correlate(x, template, stride=(2, 1), padding=(1, 0), groups=2, boundary="reflect")

    assert torch.autograd.gradcheck(function, (x, template))
    assert torch.autograd.gradgradcheck(function, (x, template), fast_mode=True)
    flat = torch.full((1, 1, 5), 2.0, requires_grad=True)
    normalized_correlate(flat, torch.tensor([[[1.0, 2.0]]])).sum().backward()
    assert flat.grad.tolist() == [[[0.0] * 5]]
    constant = torch.full((1, 1, 2), 2.0, requires_grad=True)
    normalized_correlate(torch.randn(1, 1, 5), constant).sum().backward()
    assert constant.grad.tolist() == [[[0.0] * 2]]


def test_types_and_unbatched():
    x, template = torch.tensor([[0, 0, 200, 0, 100]], dtype=torch.uint8), torch.tensor([[[0, 255]]], dtype=torch.uint8)
    y = normalized_correlate(x, template)
    assert y.dtype == torch.float32
    torch.testing.assert_close(y, torch.tensor([[0.0, 1.0, -1.0, 1.0]]))
    assert normalized_correlate(x.bfloat16(), template.bfloat16()).dtype == torch.bfloat16
    with torch.autocast("cpu", torch.bfloat16):  # scores are not worth half their digits
        assert normalized_correlate(x.float(), template.float()).dtype == torch.float32


def test_compiled_exported_and_on_meta():
    torch.manual_seed(0)
    x, template = torch.randn(2, 3, 9, 8), torch.randn(4, 3, 3, 2)
    expected = normalized_correlate(x, template)
    compiled = torch.compile(normalized_correlate, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x, template), expected)

    class Module(torch.nn.Module):
        def forward(self, x, template):
            return normalized_correlate(x, template)

    exported = torch.export.export(Module(), (x, template)).module()
    torch.testing.assert_close(exported(x, template), expected)
    assert normalized_correlate(x.to("meta"), template.to("meta")).shape == expected.shape


def test_messages():
    with pytest.raises(OptionError) as raised:
        normalized_correlate(torch.zeros(1, 1, 5, dtype=torch.complex64), torch.zeros(1, 1, 2, dtype=torch.complex64))
    assert str(raised.value) == (
        "normalized_correlate: x is torch.complex64, expected a real type.\n"
        "  Hint: pass the real and imaginary part as two channels."
    )
    with pytest.raises(ShapeError) as raised:
        normalized_correlate(torch.zeros(1, 1, 5), torch.zeros(1, 1, 7))
    assert str(raised.value) == (
        "normalized_correlate: on axis 0 the window covers 1·(7 − 1) + 1 = 7 samples, "
        "but the padded input has 0 + 5 + 0 = 5.\n"
        "  Hint: give the input 2 more samples or as much padding, or make the kernel smaller."
    )
