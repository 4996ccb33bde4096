"""Samples decoded as they are needed: threads work a few batches ahead, in order, in bounded memory.

Threads and not processes: libjpeg-turbo, Pillow's decoders and resizing let go of Python's lock, threads write straight
into the batch's memory, and nothing has to be copied, pickled or cleaned up after.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np

from lenrek.data.samples import Batch, cut_batches
from lenrek.data.shown import counted
from lenrek.data.source import Problem, Source
from lenrek.errors import DataError
from lenrek.models.contract import InputContract

AHEAD_BATCHES = 3
PARTS_PER_THREAD = 2  # of each batch, so that one large file does not leave the other threads waiting


@dataclass(frozen=True)
class _Pending:
    """A batch in the making; each part returns the samples it could not read, and why."""

    x: np.ndarray
    index: np.ndarray
    place: np.ndarray
    parts: list[Future[dict[int, DataError]]]


class StreamedSamples:
    """Reads samples through the source's reader, in threads.

    Args:
        source: its `problems` grow as damaged samples are met, each named once.
        contract: what every sample is brought to.
        indices: the samples that will be asked for; None for all.
        strict: the first damaged sample is an error.
        threads: None for one per core this process may use.
    Attributes:
        asked, damaged: (samples of the source,) bool; `damaged` as far as known.
        dtype: of every sample, as the first readable one shows.
    Raises:
        DataError: not one sample can be read, or (strict) the first cannot.
    """

    def __init__(
        self,
        source: Source,
        contract: InputContract,
        indices: np.ndarray | None = None,
        *,
        strict: bool = False,
        threads: int | None = None,
    ) -> None:
        self.source, self.contract, self.strict = source, contract, strict
        self.threads = threads or available_cores()
        self.asked = np.zeros(len(source), bool)
        self.asked[slice(None) if indices is None else indices] = True
        self.damaged = np.zeros(len(source), bool)
        self.dtype = self._first_dtype()

    @property
    def index(self) -> np.ndarray:
        return np.flatnonzero(self.asked & ~self.damaged)

    def batches(self, order: np.ndarray, batch_size: int) -> Iterator[Batch]:
        wanted = enumerate(cut_batches(order, batch_size, self.asked))
        stopped = threading.Event()
        pool = ThreadPoolExecutor(self.threads, thread_name_prefix="lenrek-decode")
        try:
            ahead = deque(
                self._start(pool, index, number * batch_size, stopped)
                for number, index in islice(wanted, AHEAD_BATCHES)
            )
            while ahead:
                batch = self._finish(ahead.popleft())
                ahead.extend(
                    self._start(pool, index, number * batch_size, stopped) for number, index in islice(wanted, 1)
                )
                if len(batch.index):
                    yield batch
        finally:  # also when the consumer stops early, on an error and on Ctrl-C: no thread outlives the loop
            stopped.set()
            pool.shutdown(cancel_futures=True)

    def _start(self, pool: ThreadPoolExecutor, index: np.ndarray, start: int, stopped: threading.Event) -> _Pending:
        whole = np.flatnonzero(~self.damaged[index])
        index, place = index[whole], start + whole
        # In memory the channels come last, as decoders deliver them and convolutions on a CPU like them.
        x = np.moveaxis(np.empty((len(index), *self.contract.size, self.contract.channels), self.dtype), -1, 1)
        step = max(1, -(-len(index) // (self.threads * PARTS_PER_THREAD)))
        parts = [slice(first, first + step) for first in range(0, len(index), step)]
        reads = [pool.submit(self._read, x[part], index[part].tolist(), stopped) for part in parts]
        return _Pending(x, index, place, reads)

    def _read(self, x: np.ndarray, index: list[int], stopped: threading.Event) -> dict[int, DataError]:
        failed = {}
        for sample, one in zip(x, index, strict=True):
            if stopped.is_set():
                break
            try:
                values = self.source.reader.read(one, self.contract)
                if values.dtype != sample.dtype:  # assigning would cut off fractions and wrap around, silently
                    raise DataError(
                        f"{self.source.names[one]}: holds {values.dtype}, but the first sample {sample.dtype}: "
                        "one type for all is expected."
                    )
                sample[...] = values
            except DataError as error:
                failed[one] = error
        return failed

    def _finish(self, pending: _Pending) -> Batch:
        import torch

        x, index, place = pending.x, pending.index, pending.place
        failed = {one: error for part in pending.parts for one, error in part.result().items()}
        for one, error in failed.items():
            self._note_damaged(one, error)
        if failed:
            whole = ~self.damaged[index]
            x, index, place = x[whole], index[whole], place[whole]
        return Batch(torch.from_numpy(x), torch.from_numpy(self.source.labels[index]), index, place)

    def _note_damaged(self, index: int, error: DataError) -> None:
        if self.strict:
            raise error
        self.damaged[index] = True
        problem = Problem("damaged", str(error), (self.source.names[index],))
        if problem not in self.source.problems:
            self.source.problems.append(problem)

    def _first_dtype(self) -> np.dtype:
        for index in self.index.tolist():
            try:
                return self.source.reader.read(index, self.contract).dtype
            except DataError as error:
                self._note_damaged(index, error)
        asked = counted(int(self.asked.sum()), self.source.kind)
        raise DataError(f"{self.source.name}: not one of {asked} could be read: {self.source.problems[-1].message}")


def available_cores() -> int:
    """Cores this process may run on, which containers and `taskset` make fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
