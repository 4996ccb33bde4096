import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from lenrek.errors import OptionError, ShapeError
from lenrek.geometry import resolve_padding


@pytest.mark.parametrize(
    ("padding", "expected"),
    [
        (1, ((1, 1), (1, 1), (1, 1))),
        ((2, 0, 1), ((2, 2), (0, 0), (1, 1))),
        (((2, 0), (0, 1), (3, 4)), ((2, 0), (0, 1), (3, 4))),
        ("valid", ((0, 0), (0, 0), (0, 0))),
        # dilation · (kernel_size − 1) is 3, 8 and 5
        ("same", ((1, 2), (4, 4), (2, 3))),
        ("same_upper", ((1, 2), (4, 4), (2, 3))),
        ("same_lower", ((2, 1), (4, 4), (3, 2))),
        ("full", ((3, 3), (8, 8), (5, 5))),
        ("causal", ((3, 0), (8, 0), (5, 0))),
        (("same", 1, (0, 7)), ((1, 2), (1, 1), (0, 7))),
    ],
)
def test_samples_before_and_after_each_axis(padding, expected):
    assert resolve_padding(padding, (4, 5, 6), (1, 2, 1)) == expected


@given(kernel_size=st.integers(0, 3).map(lambda n: 2 * n + 1), dilation=st.integers(1, 4), in_size=st.integers(1, 9))
@settings(deadline=None)
def test_odd_kernels_agree_with_pytorch(kernel_size, dilation, in_size):
    x = torch.arange(1.0, in_size + 1, dtype=torch.float64).reshape(1, 1, -1)
    weight = torch.arange(1.0, kernel_size + 1, dtype=torch.float64).reshape(1, 1, -1)
    (sides,) = resolve_padding("same", (kernel_size,), dilation)
    ours = functional.conv1d(functional.pad(x, sides), weight, dilation=dilation)
    torch.testing.assert_close(ours, functional.conv1d(x, weight, padding="same", dilation=dilation))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")  # said once a process
def test_an_even_kernel_agrees_with_pytorch():
    x, weight = torch.arange(5.0).reshape(1, 1, 5), torch.tensor([[[1.0, 10.0, 100.0, 1000.0]]])
    theirs = functional.conv1d(x, weight, padding="same")
    ours = functional.conv1d(functional.pad(x, resolve_padding("same", (4,))[0]), weight)
    torch.testing.assert_close(ours, theirs)


NAMES = "one of valid, same, same_upper, same_lower, full, causal"


@pytest.mark.parametrize(
    ("padding", "error", "message"),
    [
        (
            "SAME_LOWE",
            OptionError,
            f"correlate: padding is 'SAME_LOWE', expected a number of samples, {NAMES}, "
            'or for each axis one of these or (before, after).\n  Hint: did you mean "same_lower"?',
        ),
        (
            "mirrored",
            OptionError,
            f"correlate: padding is 'mirrored', expected a number of samples, {NAMES}, "
            "or for each axis one of these or (before, after).",
        ),
        (
            0.5,
            OptionError,
            f"correlate: padding is 0.5, expected a number of samples, {NAMES}, "
            "or for each axis one of these or (before, after).",
        ),
        (
            (1, None),
            OptionError,
            f"correlate: padding is None, expected a number of samples, {NAMES}, "
            "or for each axis one of these or (before, after).",
        ),
        (
            -1,
            OptionError,
            "correlate: padding -1 is negative, expected at least 0.\n  Hint: crop the input instead.",
        ),
        (
            (0, (2, -3)),
            OptionError,
            "correlate: padding (2, -3) is negative, expected at least 0.\n  Hint: crop the input instead.",
        ),
        ((1, (2, 1.5)), OptionError, "correlate: padding (2, 1.5) holds 1.5, expected integers only."),
        ((1, 2, 3), ShapeError, "correlate: padding (1, 2, 3) is for 3 axes, expected 2 axes."),
        (
            (1, (1, 2, 3)),
            ShapeError,
            "correlate: padding (1, 2, 3) of one axis has 3 values, expected 2: (before, after).",
        ),
    ],
)
def test_what_is_refused(padding, error, message):
    with pytest.raises(error) as caught:
        resolve_padding(padding, (3, 4), who="correlate")
    assert str(caught.value) == message


def test_two_numbers_for_one_axis_are_not_guessed_to_be_its_sides():
    with pytest.raises(ShapeError) as caught:
        resolve_padding((1, 2), (3,), who="correlate")
    assert str(caught.value) == (
        "correlate: padding (1, 2) is for 2 axes, expected 1 axis.\n  Hint: for 1 before and 2 after pass ((1, 2),)."
    )
    assert resolve_padding(((1, 2),), (3,)) == ((1, 2),)
