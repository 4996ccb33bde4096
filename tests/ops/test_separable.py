"""Correlation by 1-D passes: equal to the plain loops with the kernel the factors stand for, whatever the options."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lenrek.errors import OptionError, ShapeError
from lenrek.ops.factor import SeparableKernel, factor_kernel
from lenrek.ops.separable import spatially_separable_correlate
from oracles import correlate as oracle


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 4),
    st.integers(1, 2),
    st.integers(1, 2),
    st.sampled_from(["zeros", "reflect", "symmetric", "replicate", "circular", 0.5]),
    st.integers(0, 2**32 - 1),
)
def test_equals_plain_loops_with_the_whole_kernel(ndim, groups, rank, boundary, seed):
    rng = np.random.default_rng(seed)
    kernel, dilation = rng.integers(1, 4 if ndim < 4 else 3, ndim), rng.integers(1, 3, ndim)
    stride = tuple(map(int, rng.integers(1, 4, ndim)))
    size = [int(d * (k - 1) + 1 + rng.integers(1, 3)) for k, d in zip(kernel, dilation, strict=True)]
    sides = tuple((int(rng.integers(0, 2)), int(rng.integers(0, 2))) for _ in range(ndim))
    dilation = tuple(map(int, dilation))
    outputs, per_group, rank = groups * 3, 2, rank if ndim > 1 else 1
    factors = [rng.integers(-3, 4, (outputs, per_group, rank, k)).astype(np.float64) for k in kernel]
    weight = np.zeros((outputs, per_group, *kernel))
    for r in range(rank):
        term = factors[0][:, :, r]
        for factor in factors[1:]:
            term = term[..., None] * factor[:, :, r].reshape(outputs, per_group, *[1] * (term.ndim - 2), -1)
        weight += term
    x = rng.integers(-4, 5, (2, groups * per_group, *size)).astype(np.float64)
    bias = rng.integers(-4, 5, outputs).astype(np.float64)
    separable = SeparableKernel(tuple(map(torch.from_numpy, factors)), torch.zeros(outputs, per_group))
    y = spatially_separable_correlate(
        torch.from_numpy(x), separable, torch.from_numpy(bias), stride, sides, dilation, groups, boundary=boundary
    )
    expected = oracle(x, weight, bias, stride, sides, dilation, groups, boundary)
    np.testing.assert_allclose(y.numpy(), expected, atol=1e-9)


def test_one_kernel_filters_every_channel_alike():
    torch.manual_seed(0)
    x, kernel = torch.randn(2, 3, 7, 6, dtype=torch.float64), torch.randn(3, 2, dtype=torch.float64)
    y = spatially_separable_correlate(x, factor_kernel(kernel, 2), padding="same", boundary="symmetric")
    for channel in range(3):
        one = x[:, channel : channel + 1].numpy()
        expected = oracle(one, kernel[None, None].numpy(), None, (1, 1), ((1, 1), (0, 1)), (1, 1), 1, "symmetric")
        np.testing.assert_allclose(y[:, channel : channel + 1].numpy(), expected, atol=1e-12)
    unbatched = spatially_separable_correlate(x[0], factor_kernel(kernel, 2), padding="same", boundary="symmetric")
    torch.testing.assert_close(unbatched, y[0])


def test_gradients_reach_the_factors():
    torch.manual_seed(0)
    x = torch.randn(1, 4, 5, 4, dtype=torch.float64, requires_grad=True)
    factors = [torch.randn(2, 2, 2, k, dtype=torch.float64, requires_grad=True) for k in (3, 2)]

    def function(x, first, second):
        kernel = SeparableKernel((first, second), torch.zeros(2, 2))
        return spatially_separable_correlate(x, kernel, None, (2, 1), 1, groups=2, boundary="circular")

    assert torch.autograd.gradcheck(function, (x, *factors), fast_mode=True)
    assert torch.autograd.gradgradcheck(function, (x, *factors), fast_mode=True)
    compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x, *factors), function(x, *factors))


def test_messages():
    x, blur = torch.zeros(1, 3, 8, 8), factor_kernel(torch.ones(3, 3))
    with pytest.raises(OptionError) as raised:
        spatially_separable_correlate(x, blur, groups=3)
    assert str(raised.value) == (
        "spatially_separable_correlate: groups=3 has no effect, as the kernel filters every channel alone."
    )
    with pytest.raises(ShapeError) as raised:
        spatially_separable_correlate(x, factor_kernel(torch.ones(3, 3, 3), ndim=2))
    assert str(raised.value) == (
        "spatially_separable_correlate: kernel has leading axes (3,), "
        "expected none or (out_channels, in_channels/groups)."
    )
    with pytest.raises(ShapeError) as raised:
        spatially_separable_correlate(x, factor_kernel(torch.ones(2, 2, 3, 3), ndim=2))
    assert str(raised.value) == (
        "spatially_separable_correlate: x has 3 channels, but weight (2, 2, 3, 3) with groups=1 expects 1 · 2 = 2.\n"
        "  x: (1, 3, 8, 8) = (batch, in_channels, *in_size)"
    )
