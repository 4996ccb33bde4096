import numpy as np
import pytest

from lenrek.data.labels import encode_labels, sorted_classes
from lenrek.errors import DataError


def test_numbers_become_classes_in_order_of_value():
    labels, classes = encode_labels(np.array([10, 9, 10, -1], np.int16), None, "x")
    assert labels.tolist() == [2, 1, 2, 0]
    assert labels.dtype == np.int64
    assert classes == ("-1", "9", "10")


def test_numbers_index_given_classes_even_where_some_are_absent():
    labels, classes = encode_labels(np.array([[2.0], [0.0]]), ["a", "b", "c"], "x")
    assert labels.tolist() == [2, 0]
    assert classes == ("a", "b", "c")


def test_words_are_sorted_or_looked_up():
    assert encode_labels(np.array(["b", "a", "b"]), None, "x")[0].tolist() == [1, 0, 1]
    assert encode_labels(np.array(["b", "a", "b"]), ["b", "a"], "x")[0].tolist() == [0, 1, 0]
    assert sorted_classes(["10", "9", "x"]) == ("10", "9", "x")
    labels, classes = encode_labels(np.array(["10", "9", "2"]), None, "x")
    assert classes == ("2", "9", "10")
    assert labels.tolist() == [2, 1, 0]


@pytest.mark.parametrize(
    ("y", "classes", "message"),
    [
        (
            np.array([0, 3, 5]),
            ["a", "b", "c"],
            "x: label 3 of sample 1 is out of range: 3 classes are named, so labels run from 0 to 3 − 1 = 2 "
            "(2 such labels).",
        ),
        (
            np.array([0, -1]),
            ["a", "b"],
            "x: label -1 of sample 1 is out of range: 2 classes are named, so labels run from 0 to 2 − 1 = 1 "
            "(1 such labels).",
        ),
        (
            np.array([0, 1, np.nan]),
            None,
            "x: the label of sample 2 is nan, but whole numbers are expected (1 such labels).",
        ),
        (
            np.array([0, 0.5, np.inf]),
            None,
            "x: the label of sample 1 is 0.5, but whole numbers are expected (2 such labels).",
        ),
        (np.array(["a", "z"]), ["a", "b"], "x: label 'z' is not among the 2 classes a, b."),
        (
            np.eye(4, 3),
            None,
            "x: labels have shape (4, 3), but one label per sample, (n,), is expected.\n"
            "  Hint: for one-hot labels pass y.argmax(axis=1), (4,).",
        ),
        (
            np.zeros((2, 3, 4)),
            None,
            "x: labels have shape (2, 3, 4), but one label per sample, (n,), is expected.",
        ),
        (np.array([1j]), None, "x: labels have dtype complex128, but whole numbers or strings are expected."),
    ],
)
def test_labels_that_mean_nothing(y, classes, message):
    with pytest.raises(DataError) as error:
        encode_labels(y, classes, "x")
    assert str(error.value) == message
