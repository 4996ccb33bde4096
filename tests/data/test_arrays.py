import numpy as np
import pytest
from written import messages

from lenrek.data.arrays import array_source
from lenrek.errors import DataError
from lenrek.models.contract import InputContract


def values(*shape):
    return np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)


@pytest.mark.parametrize(
    ("shape", "kind", "expected", "axis"),
    [
        ((2, 9), "signal", (2, 1, 9), None),
        ((2, 5, 7), "image", (2, 1, 5, 7), None),
        ((2, 5, 7, 1), "image", (2, 1, 5, 7), 3),
        ((2, 5, 7, 3), "image", (2, 3, 5, 7), 3),
        ((2, 3, 5, 7), "image", (2, 3, 5, 7), 1),
        ((2, 1, 5, 7), "image", (2, 1, 5, 7), 1),
        ((2, 4, 5, 7), "volume", (2, 1, 4, 5, 7), None),
        ((2, 4, 5, 7, 3), "volume", (2, 3, 4, 5, 7), 4),
        ((2, 6, 4, 5, 7), "volume", (2, 6, 4, 5, 7), 1),
        ((2, 3, 5, 3), "image", (2, 3, 3, 5), 3),
    ],
)
def test_axes(shape, kind, expected, axis):
    x = values(*shape)
    source = array_source("made", x, [0, 1])
    assert (source.kind, source.channels) == (kind, expected[1])
    np.testing.assert_array_equal(source.sizes, [expected[2:]] * 2)
    y = source.reader.x
    assert y.shape == expected
    assert y.flags.c_contiguous
    for index in np.ndindex(*expected):
        n, c, *place = index
        where = (n, *place) if axis is None else (n, *place[: axis - 1], c, *place[axis - 1 :])
        assert y[index] == x[where]


def test_how_axes_were_read_is_said():
    x = np.zeros((2, 4, 5, 7), np.uint8)
    assert messages(array_source("made", x, [0, 1]), "note") == [
        "made: x is read as (n, depth, height, width) = (2, 4, 5, 7): 2 volumes of 4×5×7, 1 channel."
    ]
    assert array_source("made", x, [0, 1], say_axes=False).problems == []


def test_alpha_is_dropped_and_said():
    x = values(2, 5, 7, 4)
    source = array_source("made", x, [0, 1])
    np.testing.assert_array_equal(source.reader.x, x[..., :3].transpose(0, 3, 1, 2))
    assert messages(source, "converted") == ["made: the fourth channel of x, taken for alpha, is dropped."]


@pytest.mark.parametrize(
    ("x", "expected", "said"),
    [
        (np.array([[[False, True]], [[True, True]]]), np.array([[[0, 255]], [[255, 255]]], np.uint8), []),
        (np.array([[[0, 7]], [[255, 3]]], np.int64), np.array([[[0, 7]], [[255, 3]]], np.uint8), []),
        (
            np.array([[[0, 256]], [[65535, 129]]], np.uint16),
            np.array([[[0, 1]], [[255, 1]]], np.uint8),
            ["made: x is uint16 with values 0…65535: divided by 257 to 0–255 (0…65535 becomes 0…255)."],
        ),
        (
            np.array([[[0, -2]], [[70000, 1]]], np.int32),
            np.array([[[0, -2]], [[70000, 1]]], np.float32),
            ["made: x is int32 with values -2…70000: stored as float32, unscaled."],
        ),
        (np.array([[[0.5, 2]], [[1, 1]]], np.float64), np.array([[[0.5, 2]], [[1, 1]]], np.float32), []),
        (np.array([[-5, 300], [1, 2]], np.int16), np.array([[-5, 300], [1, 2]], np.int16), []),
        (np.array([[1, 2], [3, 4]], np.int16), np.array([[1, 2], [3, 4]], np.int16), []),
        (
            np.array([[-5, 300], [1, 2]], np.int64),
            np.array([[-5, 300], [1, 2]], np.int16),
            ["made: x is int64 with values -5…300: stored as int16."],
        ),
        (
            np.array([[5, 40000], [1, 2]], np.uint16),
            np.array([[5, 40000], [1, 2]], np.float32),
            ["made: x is uint16 with values 1…40000: stored as float32, unscaled."],
        ),
    ],
)
def test_values(x, expected, said):
    source = array_source("made", x, [0, 1])
    assert source.reader.x.dtype == expected.dtype
    np.testing.assert_array_equal(source.reader.x[:, 0], expected)
    assert messages(source, "converted") == said


def test_every_16_bit_value_goes_to_the_nearest_of_256():
    x = np.arange(65536, dtype=np.uint16).reshape(2, 256, 128)
    y = array_source("made", x, [0, 1]).reader.x
    np.testing.assert_array_equal(y.ravel(), np.floor(x.ravel() / 257 + 0.5))


def test_uint8_is_not_copied():
    x = values(2, 5, 7)
    assert np.shares_memory(array_source("made", x, [0, 1]).reader.x, x)


def test_a_sample_is_read_as_the_contract_wants_it():
    source = array_source("made", values(2, 4, 6), [0, 1])
    contract = InputContract(1, (4, 6), (0.0,), (1.0,), ("0", "1"))
    np.testing.assert_array_equal(source.reader.read(1, contract), values(2, 4, 6)[1:])


def test_groups_are_declared():
    source = array_source("made", values(2, 4, 6), [0, 1], groups=["ann", "ben"])
    assert source.groups_declared
    assert source.groups.tolist() == ["ann", "ben"]


def damaged(value):
    x = np.zeros((4, 3, 5))
    x[2, 1, 1] = value
    return x


HINT = "\n  Hint: leave such samples out: keep = np.isfinite(x).reshape(len(x), -1).all(axis=1)."


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((3, 4)), [0, 1], "made: x has 3 samples, but y has 2 samples: one label per sample is expected."),
        (np.zeros((1, 4)), 0, "made: x has 1 sample, but y has no axis of samples: one label per sample is expected."),
        (np.zeros((0, 4)), [], "made: x has shape (0, 4), which holds no values."),
        (damaged(np.nan), [0, 1, 0, 1], "made: x[2] holds nan, but finite float32 values are expected." + HINT),
        (damaged(-np.inf), [0, 1, 0, 1], "made: x[2] holds -inf, but finite float32 values are expected." + HINT),
        (damaged(1e39), [0, 1, 0, 1], "made: x[2] holds 1e+39, but finite float32 values are expected." + HINT),
        (np.zeros(2), [0, 1], "made: x has shape (2,), but signals (n, samples), images (n, height, width[, channels]) "
         "or volumes (n[, channels], depth, height, width) are expected."),
        (np.zeros((2, 3), complex), [0, 1], "made: x has dtype complex128, but real numbers are expected."),
        (np.array([[None], [1]]), [0, 1], "made: x has dtype object, but real numbers are expected."),
        (np.zeros((2, 3)), [None, 1], "made: y has dtype object, but numbers or strings are expected."),
    ],
)  # fmt: skip
def test_arrays_that_mean_nothing(x, y, message):
    with pytest.raises(DataError) as error:
        array_source("made", x, y)
    assert str(error.value) == message


def test_samples_of_different_lengths_are_refused():
    with pytest.raises(DataError, match=r"^made: x is not one array: "):
        array_source("made", [[1, 2], [3]], [0, 1])


def test_groups_of_another_length():
    with pytest.raises(DataError) as error:
        array_source("made", np.zeros((3, 4)), [0, 1, 0], groups=["a"])
    assert str(error.value) == "made: groups have shape (1,), but one per sample, (3,), is expected."
