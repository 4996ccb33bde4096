"""What every pooling does in PyTorch: derivatives, graphs, shapes without data, memory formats, empty batches."""

from __future__ import annotations

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from lenrek.ops import pooling

# per name: the operation on 2 axes, both on PyTorch's own paths and on ours
POOLINGS = {
    "max": lambda x: pooling.max_pool(x, (3, 2), (2, 1), (1, 0)),
    "max, one-sided": lambda x: pooling.max_pool(x, (3, 2), (2, 1), ((0, 2), (1, 0)), (1, 2)),
    "max, mirrored": lambda x: pooling.max_pool(x, (3, 2), (2, 1), (2, 1), boundary="reflect"),
    "average": lambda x: pooling.average_pool(x, (3, 2), (2, 1), (1, 0)),
    "average, dilated": lambda x: pooling.average_pool(x, (3, 2), (2, 1), (1, 0), (1, 2), boundary="ignore"),
    "norm": lambda x: pooling.lp_pool(x, 3, (3, 2), (2, 1), 1),
    "any": lambda x: pooling.pool(x, (3, 2), torch.logsumexp, (2, 1), 1, boundary="circular"),
    "adaptive max": lambda x: pooling.adaptive_max_pool(x, (3, 4)),
    "adaptive average": lambda x: pooling.adaptive_average_pool(x, (3, 4)),
    "stochastic, evaluated": lambda x: pooling.stochastic_pool(x, (3, 2), training=False),
    "spectral": lambda x: pooling.spectral_pool(x, (4, 3)),
    "global max": pooling.global_max_pool,
    "global average": pooling.global_average_pool,
    "unpooled": lambda x: pooling.max_unpool(*pooling.max_pool(x, (3, 2), return_indices=True), x.shape[-2:]),
}
EVERY = pytest.mark.parametrize("operation", POOLINGS.values(), ids=POOLINGS)


def sample(*shape: int) -> torch.Tensor:
    """Values far apart, so that none are nearly equal, on both sides of 0 and none near it."""
    count = torch.Size(shape).numel()
    return (torch.randperm(count, generator=torch.Generator().manual_seed(0)).double() - count / 2 + 0.25).reshape(
        shape
    )


@EVERY
def test_derivatives_to_second_order(operation):
    x = (sample(2, 1, 5, 6) / 10).requires_grad_()
    assert gradcheck(operation, x)
    assert gradgradcheck(operation, x)


@EVERY
@pytest.mark.parametrize("gradient", [False, True])
def test_compiled_in_one_graph(operation, gradient):
    torch.compiler.reset()
    x = sample(2, 3, 7, 6).requires_grad_(gradient)
    y = torch.compile(operation, fullgraph=True, backend="aot_eager")(x)
    expected = operation(x)
    torch.testing.assert_close(y, expected)
    if gradient:
        torch.testing.assert_close(
            torch.autograd.grad(y.square().sum(), x), torch.autograd.grad(expected.square().sum(), x)
        )


@pytest.mark.parametrize("name", ["max, one-sided", "average, dilated"])
def test_compiled_to_machine_code(name):
    torch.compiler.reset()
    x = sample(1, 2, 7, 6)
    torch.testing.assert_close(torch.compile(POOLINGS[name], fullgraph=True)(x), POOLINGS[name](x))


@EVERY
def test_exported(operation):
    class Module(torch.nn.Module):
        def forward(self, x):
            return operation(x)

    x = sample(2, 3, 7, 6)
    exported = torch.export.export(Module(), (x,))
    torch.testing.assert_close(exported.module()(x + 1), operation(x + 1))


@EVERY
def test_without_data(operation):
    x = sample(2, 3, 7, 6)
    y = operation(x.to("meta"))
    expected = operation(x)
    assert (y.device.type, y.shape, y.dtype) == ("meta", expected.shape, expected.dtype)


@EVERY
def test_an_empty_batch(operation):
    assert operation(torch.zeros(0, 3, 7, 6)).shape == (0, *operation(torch.zeros(2, 3, 7, 6)).shape[1:])


@EVERY
@pytest.mark.parametrize("gradient", [False, True])
def test_channels_last_stay_last(operation, gradient):
    x = sample(2, 3, 7, 6).requires_grad_(gradient)
    y = operation(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(y, operation(x))
    assert y.ndim == 2 or y.is_contiguous(memory_format=torch.channels_last)


@EVERY
def test_under_autocast_short_types_stay_close(operation):
    x = sample(2, 3, 7, 6).float() / 64
    with torch.autocast("cpu", torch.bfloat16):
        y = operation(x.bfloat16())
    torch.testing.assert_close(y.float(), operation(x.bfloat16().float()), rtol=2**-7, atol=2**-7)


@EVERY
def test_mapped_over_a_new_axis(operation):
    x = sample(2, 2, 3, 7, 6)
    torch.testing.assert_close(torch.func.vmap(operation)(x), torch.stack([operation(each) for each in x]))
