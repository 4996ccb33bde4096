"""Locally connected correlation: plain loops, the shared-weight limit, the adjoint, gradients, layouts and messages."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lenrek.errors import OptionError, ShapeError
from lenrek.geometry import windows
from lenrek.ops.local import local_correlate, local_correlate_transposed
from oracles import local_correlate as oracle

BOUNDARIES = ("zeros", "reflect", "symmetric", "replicate", "circular", 0.5)


@st.composite
def problems(draw):
    """Arguments of local_correlate, unequal per axis where there is room, with small whole numbers as values."""
    ndim = draw(st.integers(1, 4))
    most = (9, 5, 3, 2)[ndim - 1]
    kernel = draw(st.lists(st.integers(1, min(most, 3)), min_size=ndim, max_size=ndim))
    dilation = draw(st.lists(st.integers(1, 2), min_size=ndim, max_size=ndim))
    stride = draw(st.lists(st.integers(1, 3), min_size=ndim, max_size=ndim))
    reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    size = [draw(st.integers(max(r + 1, 2), max(r + 1, 2) + 2)) for r in reach]
    sides = [(draw(st.integers(0, min(2, n - 1))), draw(st.integers(0, min(2, n - 1)))) for n in size]
    groups = draw(st.integers(1, 3))
    per_group, outputs, batch = draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(0, 2))
    out_size = [w.out_size for w in windows(size, kernel, stride=stride, padding=sides, dilation=dilation)]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.integers(-4, 5, (batch, groups * per_group, *size)).astype(np.float64)
    weight = rng.integers(-4, 5, (*out_size, groups * outputs, per_group, *kernel)).astype(np.float64)
    bias = draw(st.sampled_from([(), (groups * outputs,), (groups * outputs, *out_size)]))
    return {
        "x": x,
        "weight": weight,
        "bias": rng.integers(-4, 5, bias).astype(np.float64) if bias else None,
        "options": (tuple(stride), tuple(sides), tuple(dilation), groups),
        "boundary": draw(st.sampled_from(BOUNDARIES)),
    }


@settings(max_examples=60, deadline=None)
@given(problems(), st.booleans())
def test_equals_plain_loops(problem, channels_last):
    x, weight, bias, ndim = problem["x"], problem["weight"], problem["bias"], problem["x"].ndim - 2
    given_weight = torch.from_numpy(weight)
    if channels_last:
        given_weight = given_weight.movedim(ndim + 1, -1).contiguous().movedim(-1, ndim + 1)
    y = local_correlate(
        torch.from_numpy(x),
        given_weight,
        None if bias is None else torch.from_numpy(bias),
        *problem["options"],
        boundary=problem["boundary"],
    )
    unshared = None if bias is None else bias.reshape(bias.shape + (1,) * (ndim + 1 - bias.ndim))
    expected = oracle(x, weight, unshared, *problem["options"], boundary=problem["boundary"])
    np.testing.assert_array_equal(y.numpy(), expected)


@settings(max_examples=40, deadline=None)
@given(problems())
def test_transposed_is_the_adjoint(problem):
    x, weight = torch.from_numpy(problem["x"]), torch.from_numpy(problem["weight"])
    stride, sides, dilation, groups = problem["options"]
    boundary = "zeros" if problem["boundary"] == 0.5 else problem["boundary"]
    forward = local_correlate(x, weight, None, stride, sides, dilation, groups, boundary=boundary)
    y = torch.from_numpy(np.random.default_rng(0).integers(-4, 5, forward.shape).astype(np.float64))
    back = local_correlate_transposed(
        y, weight, None, stride, sides, 0, groups, dilation, output_size=x.shape[2:], boundary=boundary
    )
    assert back.shape == x.shape
    assert (forward * y).sum() == (x * back).sum()


def test_equal_weights_everywhere_are_a_convolution():
    torch.manual_seed(0)
    x, weight = torch.randn(2, 4, 8, 7, dtype=torch.float64), torch.randn(6, 2, 3, 2, dtype=torch.float64)
    expected = torch.nn.functional.conv2d(x, weight, None, (2, 1), (1, 0), (1, 2), 2)
    unshared = weight.expand(*expected.shape[2:], *weight.shape)
    y = local_correlate(x, unshared, None, (2, 1), (1, 0), (1, 2), 2)
    torch.testing.assert_close(y, expected)


def _differentiable(channels_last=False):
    torch.manual_seed(0)
    x = torch.randn(2, 4, 6, 5, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(3, 4, 6, 2, 3, 2, dtype=torch.float64)
    if channels_last:
        weight = weight.movedim(3, -1).contiguous().movedim(-1, 3)
    bias = torch.randn(6, 3, 4, dtype=torch.float64, requires_grad=True)

    def function(x, weight, bias):
        return local_correlate(x, weight, bias, (2, 1), [(1, 0), (1, 0)], (1, 2), 2, boundary="reflect")

    return function, (x, weight.requires_grad_(), bias)


@pytest.mark.parametrize("channels_last", [False, True])
def test_gradients_to_second_order(channels_last):
    function, inputs = _differentiable(channels_last)
    assert torch.autograd.gradcheck(function, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(function, inputs, fast_mode=True)


def test_gradients_of_the_transposed_to_second_order():
    torch.manual_seed(0)
    y = torch.randn(2, 6, 3, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(3, 4, 6, 2, 3, 2, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(4, dtype=torch.float64, requires_grad=True)

    def function(y, weight, bias):
        return local_correlate_transposed(y, weight, bias, (2, 1), (1, 0), (1, 0), 2, (1, 2), boundary="circular")

    assert torch.autograd.gradcheck(function, (y, weight, bias), fast_mode=True)
    assert torch.autograd.gradgradcheck(function, (y, weight, bias), fast_mode=True)


def test_the_weight_gradient_lies_in_memory_as_the_weight():
    for channels_last in (False, True):
        function, (x, weight, bias) = _differentiable(channels_last)
        (gradient,) = torch.autograd.grad(function(x, weight, bias).sum(), weight)
        assert gradient.stride() == weight.stride()


def test_complex_gradients():
    torch.manual_seed(0)
    x = torch.randn(2, 2, 5, dtype=torch.complex128, requires_grad=True)
    weight = torch.randn(3, 3, 2, 3, dtype=torch.complex128, requires_grad=True)
    assert torch.autograd.gradcheck(local_correlate, (x, weight))
    product = x[0, :, 1:4].detach() * weight[1, 2].detach()  # the weight is not conjugated
    torch.testing.assert_close(local_correlate(x, weight)[0, 2, 1].detach(), product.sum())


def test_compiled_exported_and_on_meta():
    function, inputs = _differentiable()
    expected = function(*inputs)
    compiled = torch.compile(function, fullgraph=True, backend="aot_eager")(*inputs)
    torch.testing.assert_close(compiled, expected)
    seed = torch.randn_like(expected)
    for ours, theirs in zip(
        torch.autograd.grad(compiled, inputs, seed), torch.autograd.grad(expected, inputs, seed), strict=True
    ):
        torch.testing.assert_close(ours, theirs)

    class Module(torch.nn.Module):
        def forward(self, *inputs):
            return function(*inputs)

    detached = tuple(tensor.detach() for tensor in inputs)
    torch.testing.assert_close(torch.export.export(Module(), detached).module()(*detached), expected.detach())
    assert function(*(tensor.to("meta") for tensor in detached)).shape == expected.shape


def test_channels_last_in_and_out():
    x = torch.randn(2, 3, 5, 6).to(memory_format=torch.channels_last)
    weight = torch.randn(4, 4, 2, 3, 2, 3)
    y = local_correlate(x, weight)
    assert y.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(y, local_correlate(x.contiguous(), weight))
    assert local_correlate(x.contiguous(), weight).is_contiguous()


def test_unbatched():
    x, weight = torch.randn(3, 5), torch.randn(4, 2, 3, 2)
    torch.testing.assert_close(local_correlate(x, weight), local_correlate(x[None], weight)[0])
    y = torch.randn(2, 4)
    torch.testing.assert_close(local_correlate_transposed(y, weight), local_correlate_transposed(y[None], weight)[0])


def test_integers_are_summed_in_int64():
    x, weight = torch.full((1, 1, 3), 200, dtype=torch.uint8), torch.full((2, 1, 1, 2), 200, dtype=torch.uint8)
    y = local_correlate(x, weight, torch.tensor([1], dtype=torch.uint8))
    assert y.dtype == torch.int64
    assert y.tolist() == [[[80001, 80001]]]


def test_autocast_computes_in_bfloat16():
    x, weight = torch.randn(2, 3, 5, requires_grad=True), torch.randn(4, 2, 3, 2, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        y = local_correlate(x, weight)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), local_correlate(x, weight), atol=0.1, rtol=0.05)
    y.float().sum().backward()
    assert weight.grad.dtype == torch.float32
    torch.testing.assert_close(weight.grad[1, 0], x.detach()[:, :, 1:3].sum(0), atol=0.05, rtol=0.02)


def _message(error, call):
    with pytest.raises(error) as raised:
        call()
    return str(raised.value)


def test_messages():
    x, weight = torch.zeros(1, 2, 5), torch.zeros(3, 4, 2, 3)
    assert _message(ShapeError, lambda: local_correlate(x, torch.zeros(4, 2, 3))) == (
        "local_correlate: weight (4, 2, 3) has 3 axes, expected 2·N + 2 for N-D, none of them empty: "
        "(*out_size, out_channels, in_channels/groups, *kernel_size)."
    )
    assert _message(ShapeError, lambda: local_correlate(x, weight, padding=1, stride=2, dilation=2)) == (
        "local_correlate: weight is for (3,) positions, but x of size (5,) has (2,): "
        "on axis 0 ⌊(5 + 1 + 1 − 2·(3 − 1) − 1)/2⌋ + 1 = 2."
    )
    assert _message(ShapeError, lambda: local_correlate(x, weight, torch.zeros(3))) == (
        "local_correlate: bias (3,), expected one value per output channel: (4,), "
        "or one per channel and position: (4, 3)."
    )
    assert _message(ShapeError, lambda: local_correlate_transposed(torch.zeros(1, 4, 2), weight)) == (
        "local_correlate_transposed: x has (2,) positions, but weight (3, 4, 2, 3) is for (3,)."
    )
    assert _message(ShapeError, lambda: local_correlate_transposed(torch.zeros(4, 3), weight, torch.zeros(5))) == (
        "local_correlate_transposed: bias (5,), expected one value per output channel: (2,), "
        "or one per channel and position: (2, 5)."
    )
    assert _message(OptionError, lambda: local_correlate(x, weight.double())) == (
        "local_correlate: x is torch.float32, but weight is torch.float64, expected the same type.\n"
        "  Hint: pass weight.to(torch.float32), or x.to(torch.float64)."
    )
