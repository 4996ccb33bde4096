"""Depthwise, pointwise and depthwise-separable correlation against plain loops with groups, and their messages."""

import numpy as np
import pytest
import torch

from lenrek.errors import ShapeError
from lenrek.ops.depthwise import depthwise_correlate, depthwise_separable_correlate, pointwise_correlate
from oracles import correlate as oracle

SIZES = {1: ((7,), (3,)), 2: ((6, 5), (3, 2)), 3: ((5, 4, 3), (2, 3, 1)), 4: ((4, 3, 2, 3), (2, 1, 2, 3))}


def whole(*shape):
    return torch.from_numpy(np.random.default_rng(sum(shape)).integers(-4, 5, shape).astype(np.float64))


@pytest.mark.parametrize("ndim", SIZES)
@pytest.mark.parametrize("boundary", ["zeros", "circular", 0.5])
def test_depthwise_equals_plain_loops(ndim, boundary):
    size, kernel = SIZES[ndim]
    stride, sides, dilation = (2, 1, 1, 2)[:ndim], ((1, 0), (0, 1), (1, 1), (0, 0))[:ndim], (1, 2, 1, 1)[:ndim]
    x, weight, bias = whole(2, 3, *size), whole(6, 1, *kernel), whole(6)
    y = depthwise_correlate(x, weight, bias, stride, sides, dilation, boundary=boundary)
    expected = oracle(x.numpy(), weight.numpy(), bias.numpy(), stride, sides, dilation, 3, boundary)
    np.testing.assert_allclose(y.numpy(), expected, atol=1e-12)
    unbatched = depthwise_correlate(x[0], weight, bias, stride, sides, dilation, boundary=boundary)
    torch.testing.assert_close(unbatched, y[0])


def test_pointwise_mixes_channels_alone():
    x, weight, bias = whole(2, 4, 3, 5), whole(6, 2, 1, 1), whole(6)
    y = pointwise_correlate(x, weight, bias, groups=2)
    for group in range(2):
        matrix, read = weight[3 * group : 3 * group + 3, :, 0, 0], x[:, 2 * group : 2 * group + 2]
        expected = torch.tensordot(matrix, read, dims=([1], [1])).movedim(0, 1) + bias[3 * group :][:3].view(3, 1, 1)
        assert torch.equal(y[:, 3 * group : 3 * group + 3], expected)


def test_separable_is_a_dense_correlation_of_rank_one_weights():
    x, depthwise, pointwise = whole(2, 3, 6, 5), whole(6, 1, 3, 2), whole(4, 6, 1, 1)
    between, bias = whole(6) + 1, whole(4)
    y = depthwise_separable_correlate(
        x, depthwise, pointwise, bias, (2, 1), "same", (1, 2), depthwise_bias=between, boundary="reflect"
    )
    dense = torch.stack(
        [pointwise[:, 2 * c : 2 * c + 2, 0, 0] @ depthwise[2 * c : 2 * c + 2, 0].flatten(1) for c in range(3)], 1
    )
    sides = ((1, 1), (1, 1))
    total = bias + pointwise[:, :, 0, 0] @ between
    weight = dense.unflatten(2, (3, 2))
    expected = oracle(x.numpy(), weight.numpy(), total.numpy(), (2, 1), sides, (1, 2), 1, "reflect")
    np.testing.assert_allclose(y.numpy(), expected, atol=1e-9)


def test_messages():
    x = torch.zeros(1, 3, 8, 8)
    cases = {
        "depthwise_correlate: weight (4, 1, 3, 3), expected (channels · multiplier, 1, *kernel_size) "
        "with a multiple of 3 channels.": lambda: depthwise_correlate(x, torch.zeros(4, 1, 3, 3)),
        "depthwise_correlate: x (1, 3, 8, 8) and weight (3, 1, 3) do not fit, expected (batch, channels, *in_size), "
        "or without batch, and (channels · multiplier, 1, *kernel_size).": lambda: depthwise_correlate(
            x, torch.zeros(3, 1, 3)
        ),
        "pointwise_correlate: weight (4, 3, 3, 1), expected kernels of one sample: "
        "(out_channels, in_channels/groups, 1, …).": lambda: pointwise_correlate(x, torch.zeros(4, 3, 3, 1)),
        "depthwise_separable_correlate: pointwise_weight (4, 3, 1, 2), expected kernels of one sample: "
        "(out_channels, in_channels/groups, 1, …).": lambda: depthwise_separable_correlate(
            x, torch.zeros(3, 1, 3, 3), torch.zeros(4, 3, 1, 2)
        ),
    }
    for message, call in cases.items():
        with pytest.raises(ShapeError) as raised:
            call()
        assert str(raised.value) == message
