import gzip

import numpy as np
import pytest
from written import idx_bytes

from lenrek.data.idx import labels_beside, parse_idx, read_idx
from lenrek.errors import DataError


def test_bytes_in_order():
    x = np.arange(2 * 3 * 5, dtype=np.uint8).reshape(2, 3, 5)
    np.testing.assert_array_equal(parse_idx(idx_bytes(x), "x"), x)


@pytest.mark.parametrize(("code", "dtype"), [(9, "i1"), (11, "i2"), (12, "i4"), (13, "f4"), (14, "f8")])
def test_numbers_are_big_endian(code, dtype):
    x = np.array([[-2, 100], [3, 4], [5, 6]], dtype=">" + dtype)
    y = parse_idx(idx_bytes(x, code), "x")
    assert y.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(y, [[-2, 100], [3, 4], [5, 6]])


def test_gzip_and_labels_beside(tmp_path):
    images, labels = tmp_path / "some-images-idx3-ubyte", tmp_path / "some-labels-idx1-ubyte.gz"
    images.write_bytes(idx_bytes(np.zeros((2, 3, 5), np.uint8)))
    assert labels_beside(images) is None
    labels.write_bytes(gzip.compress(idx_bytes(np.array([4, 2], np.uint8))))
    assert labels_beside(images) == labels
    assert read_idx(labels).tolist() == [4, 2]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (
            b"\x89PNG....",
            "x: starts with the bytes 89 50 4e 47, but an IDX file starts with 00 00, a type (08, 09, 0b, 0c, 0d, 0e) "
            "and the number of axes (1 or more).",
        ),
        (
            b"",
            "x: starts with the bytes (none), but an IDX file starts with 00 00, a type (08, 09, 0b, 0c, 0d, 0e) "
            "and the number of axes (1 or more).",
        ),
        (b"\0\0\x08\x03\0\0\0\x02", "x: holds 8 bytes, but the header of 3 axes takes 4 + 4·3 = 16."),
        (
            idx_bytes(np.zeros((2, 3, 5), np.uint8))[:-4],
            "x: holds 42 bytes, but its header says 16 + 2·3·5·1 = 46.",
        ),
        (
            idx_bytes(np.zeros((2, 3), ">f8"), 14) + b"!",
            "x: holds 61 bytes, but its header says 12 + 2·3·8 = 60.",
        ),
    ],
)
def test_what_is_no_idx_file(raw, message):
    with pytest.raises(DataError) as error:
        parse_idx(raw, "x")
    assert str(error.value) == message


def test_gzip_cut_short(tmp_path):
    path = tmp_path / "x-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(idx_bytes(np.arange(200, dtype=np.uint8)))[:-20])
    with pytest.raises(DataError) as error:
        read_idx(path)
    assert str(error.value).startswith(f"{path}: cannot be read: ")
