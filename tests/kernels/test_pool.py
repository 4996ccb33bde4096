"""What a pooling may be, and where its windows lie."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch.nn import functional as F

from lenrek.errors import OptionError, ShapeError
from lenrek.geometry import output_size
from lenrek.kernels.pool import Pool, axis_windows


def test_sizes_are_those_of_the_geometry():
    pool = Pool("average", (3, 2, 5), (2, 1, 3), (1, 0, 2))
    size = (7, 8, 9)
    expected = output_size(size, pool.kernel_size, stride=pool.stride, padding=pool.padding)
    assert axis_windows(pool.code, size) == (expected, (3, 2, 5), (2, 1, 3), (1, 0, 2))
    assert axis_windows([], size) == (size, (1, 1, 1), (1, 1, 1), (0, 0, 0))
    assert axis_windows(Pool("global_average").code, size) == ((1, 1, 1), size, (1, 1, 1), (0, 0, 0))


@pytest.mark.parametrize("padding", [0, 1, 2])
def test_in_ceil_mode_a_last_window_may_reach_beyond(padding):
    for size, kernel, stride in product(range(5, 14), (4, 5), (1, 2, 3, 6)):
        x = torch.zeros(1, 1, size)
        expected = F.max_pool1d(x, kernel, stride, padding, ceil_mode=True).shape[2:]
        pool = Pool("max", (kernel,), (stride,), (padding,), ceil_mode=True)
        assert axis_windows(pool.code, (size,))[0] == expected, (size, kernel, stride)


def test_a_window_that_does_not_fit():
    with pytest.raises(ShapeError) as error:
        axis_windows(Pool("max", (2, 5)).code, (4, 4))
    assert str(error.value) == (
        "Pool: on axis 1 the window covers 1·(5 − 1) + 1 = 5 samples, but the padded input has 0 + 4 + 0 = 4.\n"
        "  Hint: give the input 1 more sample or as much padding, or make the kernel smaller."
    )


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (("median", (2,)), OptionError, "Pool: kind 'median', expected one of max, average, global_average."),
        (
            ("global_average", (2,)),
            OptionError,
            "Pool: global_average reads all samples; it takes no kernel_size, stride or padding.",
        ),
        (
            ("max", (2, 2), (1,)),
            ShapeError,
            "Pool: kernel_size (2, 2), stride (1,) and padding (0, 0), expected one of each per axis.",
        ),
        (("max",), ShapeError, "Pool: kernel_size (), stride () and padding (), expected one of each per axis."),
        (
            ("max", (2, 3), (1, 2), (0, 2)),
            OptionError,
            "Pool: kernel_size 3, stride 2, padding 2 on one axis, "
            "expected at least 1, at least 1, and 0 ≤ padding ≤ 3 // 2 = 1.",
        ),
    ],
)
def test_what_is_no_pooling(arguments, kind, message):
    with pytest.raises(kind) as error:
        Pool(*arguments)
    assert str(error.value) == message
