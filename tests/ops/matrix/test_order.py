"""The number of each sample: row-major and column-major, against NumPy's two orders."""

import numpy as np
import pytest
import torch

from lenrek.errors import OptionError, ShapeError
from lenrek.ops.matrix import flatten_volume, unflatten_volume
from lenrek.ops.matrix.order import site_numbers

ORDERS = [("row_major", "C"), ("column_major", "F")]


@pytest.mark.parametrize(("order", "letter"), ORDERS)
@pytest.mark.parametrize("size", [(5,), (2, 3), (2, 3, 4), (2, 1, 3, 4)])
def test_each_channel_is_numbered_as_numpy_numbers_it(size, order, letter):
    numbers = site_numbers(size, order)
    assert [numbers[p].item() for p in np.ndindex(*size)] == [
        np.ravel_multi_index(p, size, order=letter) for p in np.ndindex(*size)
    ]
    x = torch.randn(2, 3, *size)
    flat = torch.stack([torch.from_numpy(np.concatenate([c.flatten(letter) for c in v])) for v in x.numpy()])
    assert flatten_volume(x, order).equal(flat)
    assert unflatten_volume(flat, (3, *size), order).equal(x)


def test_the_columns_of_a_channel_lie_below_each_other_and_the_channels_below_these():
    x = torch.tensor([[[[11, 12, 13], [21, 22, 23]], [[-11, -12, -13], [-21, -22, -23]]]])
    assert flatten_volume(x, "column_major").tolist() == [[11, 21, 12, 22, 13, 23, -11, -21, -12, -22, -13, -23]]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: flatten_volume(torch.zeros(2, 3)),
            ShapeError,
            "flatten_volume: x is (2, 3), expected (batch, channels, *size) with at least one spatial axis.",
        ),
        (
            lambda: flatten_volume(torch.zeros(2, 3, 4), "F"),
            OptionError,
            "flatten_volume: order is 'F', expected one of row_major, column_major.",
        ),
        (
            lambda: unflatten_volume(torch.zeros(2, 12), (2, 3, 4)),
            ShapeError,
            "unflatten_volume: y is (2, 12), expected (batch, features) with 2 · 3 · 4 = 24 features.",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message
