"""Sources made in memory, for the tests of loading."""

import threading
import time

import numpy as np

from lenrek.data.source import Source
from lenrek.errors import DataError
from lenrek.models.contract import InputContract

CONTRACT = InputContract(2, (3, 4), (0.0, 0.0), (1.0, 1.0), ("a", "b"))


class CountingReader:
    """Sample i holds i everywhere plus its channel; `damaged` ones cannot be read; reads are counted."""

    def __init__(self, damaged=(), delay_s=0.0, error=DataError):
        self.damaged, self.delay_s, self.error = set(damaged), delay_s, error
        self.reads = []
        self.threads = set()

    def read(self, index, contract):
        self.reads.append(index)
        self.threads.add(threading.current_thread().name)
        # Later samples are quicker, so that order has to be kept and does not just happen.
        time.sleep(self.delay_s * (1 + index % 3 == 0))
        if index in self.damaged:
            raise self.error(f"file{index}: cut short.")
        x = np.full((contract.channels, *contract.size), index % 256, np.uint8)
        return x + np.arange(contract.channels, dtype=np.uint8).reshape(-1, *(1 for _ in contract.size))


def made_source(number=20, **options):
    return Source(
        name="made",
        kind="image",
        reader=CountingReader(**options),
        names=[f"file{i}" for i in range(number)],
        labels=np.arange(number, dtype=np.int64) % 2,
        classes=("a", "b"),
        channels=2,
        sizes=np.full((number, 2), (3, 4)),
    )


def decoding_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("lenrek-decode")]
