import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from made import CONTRACT, decoding_threads, made_source

from lenrek.data.source import Problem
from lenrek.data.stream import AHEAD_BATCHES, StreamedSamples, available_cores
from lenrek.errors import DataError


def test_batches_come_in_order_with_their_values():
    source = made_source(20, delay_s=0.002)
    order = np.array([7, 3, 3, 19, 0, 11, 2])
    batches = list(StreamedSamples(source, CONTRACT, threads=3).batches(order, 3))
    assert [batch.index.tolist() for batch in batches] == [[7, 3, 3], [19, 0, 11], [2]]
    assert [batch.place.tolist() for batch in batches] == [[0, 1, 2], [3, 4, 5], [6]]
    for batch in batches:
        assert batch.x.dtype == torch.uint8
        assert batch.labels.dtype == torch.int64
        assert batch.labels.tolist() == [i % 2 for i in batch.index]
        expected = np.empty((len(batch.index), 2, 3, 4))
        expected[:] = (batch.index[:, None] + np.arange(2))[:, :, None, None]
        np.testing.assert_array_equal(batch.x.numpy(), expected)
    assert len(source.reader.threads) > 1


def test_memory_is_bounded_however_slow_the_consumer():
    source = made_source(200)
    samples = StreamedSamples(source, CONTRACT, threads=2)
    source.reader.reads.clear()
    for number, _ in enumerate(samples.batches(samples.index, 4), start=1):
        time.sleep(0.02)
        assert len(source.reader.reads) <= 4 * (number + AHEAD_BATCHES)
        if number == 4:
            assert len(source.reader.reads) == 4 * (number + AHEAD_BATCHES)  # and the time was used
            break


def test_a_consumer_that_stops_early_leaves_no_thread():
    source = made_source(160, delay_s=0.005)
    samples = StreamedSamples(source, CONTRACT, threads=1)
    for _ in samples.batches(samples.index, 40):
        assert decoding_threads()
        break
    assert not decoding_threads()
    assert len(source.reader.reads) < 1 + 40 + 15  # the part at work, 20 samples, was not finished for nothing


def test_an_error_that_is_no_damage_reaches_the_consumer():
    source = made_source(20, damaged=[13], error=KeyError)
    samples = StreamedSamples(source, CONTRACT)
    with pytest.raises(KeyError, match="file13: cut short"):
        list(samples.batches(samples.index, 4))
    assert not decoding_threads()


def test_damaged_samples_are_named_once_and_left_out_of_their_batch():
    source = made_source(12, damaged=[0, 5, 8, 9, 10, 11])
    samples = StreamedSamples(source, CONTRACT)
    expected = [[1, 2, 3], [4, 6, 7]]
    for _ in range(2):
        batches = list(samples.batches(np.arange(12), 4))
        assert [batch.index.tolist() for batch in batches] == expected  # the third batch had nothing left
        assert [batch.place.tolist() for batch in batches] == expected
        assert [batch.x[:, 0, 0, 0].tolist() for batch in batches] == expected
        assert [batch.labels.tolist() for batch in batches] == [[1, 0, 1], [0, 0, 1]]
    assert samples.index.tolist() == [1, 2, 3, 4, 6, 7]
    assert source.problems == [Problem("damaged", f"file{i}: cut short.", (f"file{i}",)) for i in (0, 5, 8, 9, 10, 11)]
    assert source.reader.reads.count(5) == 1


def test_a_source_read_twice_names_its_damaged_samples_once():
    source = made_source(6, damaged=[4])
    for _ in range(2):
        samples = StreamedSamples(source, CONTRACT)
        assert sum(len(batch.index) for batch in samples.batches(samples.index, 4)) == 5
    assert [problem.samples for problem in source.problems] == [("file4",)]


def test_strict_stops_at_the_first():
    with pytest.raises(DataError, match=r"^file0: cut short\.$"):
        StreamedSamples(made_source(12, damaged=[0]), CONTRACT, strict=True)
    samples = StreamedSamples(made_source(12, damaged=[5, 7]), CONTRACT, strict=True)
    with pytest.raises(DataError, match=r"^file5: cut short\.$"):
        list(samples.batches(samples.index, 4))
    assert not decoding_threads()


def test_nothing_readable():
    with pytest.raises(DataError) as error:
        StreamedSamples(made_source(2, damaged=[0, 1]), CONTRACT)
    assert str(error.value) == "made: not one of 2 images could be read: file1: cut short."


def test_only_what_was_asked_for():
    samples = StreamedSamples(made_source(12), CONTRACT, np.array([9, 2]))
    assert samples.index.tolist() == [2, 9]
    with pytest.raises(DataError) as error:
        list(samples.batches(np.array([2, 3]), 4))
    assert str(error.value) == "batches: sample 3 is not among the 2 loaded."


def test_cores_are_those_of_this_process():
    assert 1 <= available_cores() <= os.cpu_count()


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT to a child")
def test_ctrl_c_ends_the_loop_and_the_process():
    script = textwrap.dedent("""
        import time
        import numpy as np
        from made import CONTRACT, decoding_threads, made_source
        from lenrek.data.stream import StreamedSamples
        samples = StreamedSamples(made_source(2000, delay_s=0.01), CONTRACT)
        try:
            for number, _ in enumerate(samples.batches(samples.index, 100)):
                print("ready", flush=True)
        except KeyboardInterrupt:
            deadline = time.monotonic() + 10  # a thread that was just being started ends a moment later
            while decoding_threads() and time.monotonic() < deadline:
                time.sleep(0.01)
            print("interrupted", len(decoding_threads()), flush=True)
    """)
    folder = Path(__file__).parent
    child = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=folder, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # also where what runs the tests ignores it
    )  # fmt: skip
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGINT)
    output, _ = child.communicate(timeout=20)
    assert output.splitlines()[-1] == "interrupted 0"
    assert child.returncode == 0
