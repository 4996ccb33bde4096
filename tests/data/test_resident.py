from dataclasses import replace

import numpy as np
import pytest
from made import CONTRACT, made_source

from lenrek.data.arrays import array_source
from lenrek.data.resident import already_resident, decode_all
from lenrek.data.stream import StreamedSamples
from lenrek.errors import DataError

ORDER = np.array([8, 3, 3, 1, 0, 7, 2])


def as_lists(samples, order=ORDER, batch_size=3):
    return [
        (batch.x.tolist(), batch.labels.tolist(), batch.index.tolist(), batch.place.tolist())
        for batch in samples.batches(order, batch_size)
    ]


@pytest.mark.parametrize("damaged", [(), (0, 1, 7)])
@pytest.mark.parametrize("indices", [None, np.array([8, 3, 1, 0, 7, 2])])
def test_memory_and_files_give_the_same_batches(damaged, indices):
    streamed = StreamedSamples(made_source(9, damaged=damaged), CONTRACT, indices)
    resident = decode_all(StreamedSamples(made_source(9, damaged=damaged), CONTRACT, indices))
    assert as_lists(resident) == as_lists(streamed)
    np.testing.assert_array_equal(resident.index, streamed.index)
    assert resident.x.shape == (len(resident.index), 2, 3, 4)


def test_every_sample_is_decoded_once():
    source = made_source(9)
    resident = decode_all(StreamedSamples(source, CONTRACT))
    for _ in range(2):
        as_lists(resident)
    assert sorted(source.reader.reads) == [0, *range(9)]  # the first one more, for its dtype


def test_arrays_of_the_right_size_are_not_copied():
    x = np.random.default_rng(0).integers(0, 256, (9, 2, 3, 4, 5), dtype=np.uint8)
    x.flags.writeable = False
    source = array_source("made", x, np.arange(9) % 2)
    contract = replace(CONTRACT, size=(3, 4, 5))
    samples = already_resident(source, contract, np.array([8, 3, 1]))
    assert np.shares_memory(samples.x, x)
    assert samples.index.tolist() == [1, 3, 8]
    batch = next(samples.batches(np.array([8, 1]), 2))
    np.testing.assert_array_equal(batch.x.numpy(), x[[8, 1]])
    assert batch.labels.tolist() == [0, 1]
    batch.x.zero_()  # the receiver may write
    assert x[8].any()
    with pytest.raises(DataError) as error:
        list(samples.batches(np.array([8, 2]), 2))
    assert str(error.value) == "batches: sample 2 is not among the 3 loaded."


@pytest.mark.parametrize(
    "change", [{"channels": 1}, {"size": (3, 4, 6)}, {"size": (3, 4)}, {"fit": "crop", "crop_fraction": 0.8}]
)
def test_arrays_that_have_to_change_are_not_taken_as_they_are(change):
    source = array_source("made", np.zeros((2, 2, 3, 4, 5), np.uint8), [0, 1])
    contract = replace(CONTRACT, size=(3, 4, 5))
    assert already_resident(source, contract, None) is not None
    assert already_resident(source, replace(contract, **change), None) is None
