"""Files and arrays without labels, as a network's contract wants them."""

from __future__ import annotations

import numpy as np
import pytest

from lenrek.data.unlabelled import unlabelled_source
from lenrek.errors import DataError
from lenrek.models.contract import InputContract

CONTRACT = InputContract(1, (2, 3, 4), (0.0,), (1.0,), ("a", "b"))


def test_a_volume_is_read_from_its_file(tmp_path):
    volume = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    np.save(tmp_path / "one.npy", volume)
    source = unlabelled_source(tmp_path, CONTRACT)
    np.testing.assert_array_equal(source.reader.read(0, CONTRACT), volume[None])


def test_files_that_are_no_volume_say_what_they_are(tmp_path):
    np.savez(tmp_path / "several.npz", x=np.zeros((2, 3, 4)))
    (tmp_path / "several.npz").rename(tmp_path / "several.npy")
    (tmp_path / "words.npy").write_text("these are words")
    np.save(tmp_path / "objects.npy", np.array([None]), allow_pickle=True)
    said = {
        "several.npy": "is called .npy, but holds several arrays like a .npz.",
        "words.npy": "is called .npy, but is not in NumPy's format.",
        "objects.npy": "holds Python objects, which are never loaded; arrays of numbers or strings are expected.",
    }
    for name, words in said.items():
        with pytest.raises(DataError) as error:
            unlabelled_source(tmp_path / name, CONTRACT).reader.read(0, CONTRACT)
        assert str(error.value).splitlines()[0] == f"{tmp_path / name}: {words}"
