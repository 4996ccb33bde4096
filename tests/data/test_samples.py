import numpy as np
import pytest

from lenrek.data.samples import cut_batches
from lenrek.errors import DataError


def test_cuts_in_order_and_keeps_repetitions():
    pieces = cut_batches([3, 1, 3, 0, 2], 2, np.ones(4, bool))
    assert [piece.tolist() for piece in pieces] == [[3, 1], [3, 0], [2]]
    assert all(piece.dtype == np.int64 for piece in pieces)
    assert cut_batches([], 2, np.ones(4, bool)) == []


@pytest.mark.parametrize("stranger", [-1, 2, 4])
def test_what_was_never_asked_for_is_refused(stranger):
    with pytest.raises(DataError) as error:
        cut_batches([0, stranger], 2, np.array([True, True, False, True]))
    assert str(error.value) == f"batches: sample {stranger} is not among the 3 loaded."
