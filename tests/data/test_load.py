import numpy as np
import pytest
from made import CONTRACT, made_source

from lenrek.data import load
from lenrek.data.arrays import array_source
from lenrek.data.load import channel_statistics, free_memory_bytes, load_samples
from lenrek.data.resident import ResidentSamples
from lenrek.data.stream import StreamedSamples
from lenrek.errors import DataError, OptionError
from lenrek.models.contract import InputContract

# 20 samples of 2·3·4 = 24 bytes: 480 bytes
CASES = [
    ("auto", 960, ResidentSamples, "20 images of 2×3×4 take 0.48 kB: decoded once and kept in memory."),
    (
        "auto", 959, StreamedSamples,
        "20 images of 2×3×4 take 0.48 kB, more than half of the 0.959 kB free: read again in every epoch.",
    ),
    ("resident", 480, ResidentSamples, "20 images of 2×3×4 take 0.48 kB: decoded once and kept in memory."),
    ("stream", 10**9, StreamedSamples, "20 images of 2×3×4 take 0.48 kB: read again in every epoch, as asked."),
]  # fmt: skip


@pytest.mark.parametrize(("mode", "free", "expected", "sentence"), CASES)
def test_the_choice_follows_from_the_size_and_is_said(monkeypatch, mode, free, expected, sentence):
    monkeypatch.setattr(load, "free_memory_bytes", lambda: free)
    said = []
    samples = load_samples(made_source(20), CONTRACT, mode=mode, say=said.append)
    assert type(samples) is expected
    assert said == [sentence]


def test_only_what_is_asked_for_counts(monkeypatch):
    monkeypatch.setattr(load, "free_memory_bytes", lambda: 100)
    said = []
    samples = load_samples(made_source(20), CONTRACT, indices=np.array([4, 2]), say=said.append)
    assert said == ["2 images of 2×3×4 take 0.048 kB: decoded once and kept in memory."]
    assert samples.index.tolist() == [2, 4]


def test_arrays_stay_where_they_are():
    x = np.zeros((6, 1000), np.int16)
    said = []
    source = array_source("made", x, [0, 1] * 3)
    contract = InputContract(1, (1000,), (0.0,), (1.0,), source.classes)
    for mode in ("auto", "stream"):
        samples = load_samples(source, contract, mode=mode, say=said.append)
        assert np.shares_memory(samples.x, source.reader.x)
    assert said == ["6 signals of 1×1000 take 12 kB: already in memory."] * 2


def test_what_cannot_be_done_is_refused(monkeypatch):
    monkeypatch.setattr(load, "free_memory_bytes", lambda: 479)
    with pytest.raises(DataError) as error:
        load_samples(made_source(20), CONTRACT, mode="resident")
    assert str(error.value) == (
        "made: 20 images of 2×3×4 take 0.48 kB, but 0.479 kB are free.\n  Hint: stream them, or choose a smaller size."
    )
    with pytest.raises(OptionError) as error:
        load_samples(made_source(20), CONTRACT, mode="fast")
    assert str(error.value) == "load_samples: mode is 'fast', but auto, resident or stream is expected."
    with pytest.raises(DataError) as error:
        load_samples(made_source(20), CONTRACT, indices=np.array([], np.int64))
    assert str(error.value) == "made: no samples were asked for."


def test_strict_is_handed_on():
    with pytest.raises(DataError, match=r"^file7: cut short\.$"):
        load_samples(made_source(20, damaged=[7]), CONTRACT, strict=True)


@pytest.mark.parametrize(("dtype", "full_scale"), [(np.uint8, 255), (np.int16, 32768), (np.float32, 1)])
@pytest.mark.parametrize("mode", ["auto", "stream"])
def test_statistics_are_those_of_numpy(dtype, full_scale, mode):
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(150, 3, 4, 5)) * 20 + [[[[60]], [[100]], [[140]]]]).clip(0, 255).astype(dtype)
    x = x[:, 0, 0] if dtype == np.int16 else x  # int16 is for signals
    source = array_source("made", x, np.arange(150) % 2)
    channels = source.channels
    contract = InputContract(channels, source.reader.x.shape[2:], (0.0,) * channels, (1.0,) * channels, source.classes)
    order = rng.permutation(150)[:131]
    mean, std = channel_statistics(load_samples(source, contract, mode=mode), order)
    values = np.moveaxis(source.reader.x[order].astype(np.float64), 1, 0).reshape(channels, -1) / full_scale
    np.testing.assert_allclose(mean, values.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(std, values.std(axis=1), rtol=1e-9)


def test_statistics_look_at_evenly_spaced_samples_only_up_to_the_limit():
    source = made_source(20)
    samples = load_samples(source, CONTRACT, mode="stream")
    source.reader.reads.clear()
    mean, _ = channel_statistics(samples, np.arange(20), limit=5)
    assert sorted(source.reader.reads) == [0, 4, 8, 12, 16]
    np.testing.assert_allclose(mean, [8 / 255, 9 / 255], rtol=1e-12)


def test_a_channel_that_never_changes_can_be_divided_by():
    source = array_source("made", np.full((4, 2, 3, 4), 51, np.uint8)[:, :1, :, 0], [0, 1] * 2)
    contract = InputContract(1, source.reader.x.shape[2:], (0.0,), (1.0,), source.classes)
    mean, std = channel_statistics(load_samples(source, contract), np.arange(4))
    assert (mean, std) == ((0.2,), (1.0,))


def test_statistics_of_nothing():
    samples = load_samples(made_source(3, damaged=[1]), CONTRACT)
    with pytest.raises(DataError) as error:
        channel_statistics(samples, np.array([1]))
    assert str(error.value) == "channel_statistics: none of 1 sample could be read."


def test_free_memory_is_what_the_container_leaves(monkeypatch, tmp_path):
    monkeypatch.setattr(load, "CGROUP", tmp_path)
    machine = free_memory_bytes()
    assert machine > 10**7
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 400\ninactive_file 300\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory_bytes() > 10**7
    (tmp_path / "memory.max").write_text("1000\n")
    assert free_memory_bytes() == 600  # 1000 − 700, and 300 of cached files that can go
