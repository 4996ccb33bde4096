import numpy as np
import pytest
import torch

from lenrek.errors import OptionError, ShapeError
from lenrek.geometry import per_axis
from lenrek.geometry.axes import sizes_of


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2, (2, 2, 2)),
        (np.int32(4), (4, 4, 4)),
        ((1, 2, 3), (1, 2, 3)),
        (np.array([3, 1, 2]), (3, 1, 2)),
        (torch.Size([5, 6, 7]), (5, 6, 7)),
    ],
)
def test_an_integer_for_every_axis_or_one_per_axis(value, expected):
    result = per_axis(value, 3, "correlate", "stride")
    assert result == expected
    assert all(type(n) is int for n in result)


@pytest.mark.parametrize(
    ("value", "ndim", "error", "message"),
    [
        ((1, 2, 3), 2, ShapeError, "correlate: stride (1, 2, 3) is for 3 axes, expected 2 axes."),
        ((1, 2), 1, ShapeError, "correlate: stride (1, 2) is for 2 axes, expected 1 axis."),
        (0, 2, OptionError, "correlate: stride (0, 0) is 0 on axis 0, expected at least 1."),
        ((2, -1), 2, OptionError, "correlate: stride (2, -1) is -1 on axis 1, expected at least 1."),
        (1.5, 2, OptionError, "correlate: stride is 1.5, expected an integer, or one per axis (2)."),
        (True, 2, OptionError, "correlate: stride is True, expected an integer, or one per axis (2)."),
        ("2", 1, OptionError, "correlate: stride is '2', expected an integer, or one per axis (1)."),
        (None, 1, OptionError, "correlate: stride is None, expected an integer, or one per axis (1)."),
        ((2, 1.0), 2, OptionError, "correlate: stride (2, 1.0) holds 1.0, expected integers only."),
    ],
)
def test_what_is_refused(value, ndim, error, message):
    with pytest.raises(error) as caught:
        per_axis(value, ndim, "correlate", "stride")
    assert str(caught.value) == message


def test_minimum_of_zero_allows_zero():
    assert per_axis((0, 1), 2, "correlate", "output_padding", minimum=0) == (0, 1)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (28, OptionError, "pool: in_size is 28, expected a sequence with one size per axis."),
        ((), ShapeError, "pool: in_size is (), expected at least 1 axis and at least 1 sample on each."),
        ((3, 0), ShapeError, "pool: in_size is (3, 0), expected at least 1 axis and at least 1 sample on each."),
        ((3, "x"), OptionError, "pool: in_size (3, 'x') holds 'x', expected integers only."),
    ],
)
def test_sizes_that_say_nothing(value, error, message):
    with pytest.raises(error) as caught:
        sizes_of(value, "pool", "in_size")
    assert str(caught.value) == message
