"""A process that computes in one way, seen from both sides: what it is asked, and how it answers."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from lenrek.errors import LenrekError, ModelError
from lenrek.kernels.library import WITHOUT_KERNELS
from lenrek.optimization.program import in_one_line
from lenrek.optimization.ways import Call, Workload

TURN_S = 0.1  # a turn is as many calls as fit, at least one: short calls are timed with warm caches

Prepare = Callable[[Workload, str], Call]


@contextmanager
def starting() -> Iterator[None]:
    """Processes started here leave Ctrl-C to this one, and do not repeat that there are no compiled kernels.

    On a terminal Ctrl-C would reach them too, in mid-import. Here it waits until the `with` block is left: then all of
    them are known and can be ended.
    """
    said = f"ignore:{WITHOUT_KERNELS}:{RuntimeWarning.__name__}"
    sys.warnoptions.append(said)  # which `multiprocessing` hands on
    try:
        with _interrupts_wait(), _interrupts_blocked():
            yield
    finally:
        sys.warnoptions.remove(said)


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """For this thread and the processes that it starts, whose threads inherit it."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # its own start would lift the block
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Also those that another thread of this process takes, where none is blocked."""
    if threading.current_thread() is not threading.main_thread():  # then they are raised in the main one
        yield
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        for number in came[:1]:
            signal.raise_signal(number)


class WayProcess:
    """The process of one way, as the measuring one sees it; ended where the `with` block is left.

    Args:
        prepare: makes what is timed, in the other process.
        threads: PyTorch's.
    """

    def __init__(self, prepare: Prepare, workload: Workload, way: str, threads: int) -> None:
        self.way = way
        context = multiprocessing.get_context("spawn")
        self._pipe, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there, prepare, workload, way, threads), daemon=True)
        self._process.start()
        there.close()  # so that its end is noticed here

    def ask(self, samples: int | None) -> float:
        """The seconds of a step; with None the peak memory in MiB, after which the process ends."""
        with suppress(OSError):  # `receive` says why
            self._pipe.send(samples)
        return self.receive()

    def receive(self) -> float:
        try:
            answer: float | str = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join()
            raise ModelError(
                f"measure: the process of {self.way!r} ended by itself, with status {self._process.exitcode}.\n"
                "  Hint: -9 is what the system does for want of memory: try a smaller batch. A script that measures\n"
                '  keeps what it does under `if __name__ == "__main__":`.'
            ) from None
        if isinstance(answer, str):
            raise ModelError(f"measure: {self.way}: {answer}")
        return answer

    def __enter__(self) -> WayProcess:
        return self

    def __exit__(self, *_: Any) -> None:
        self._process.terminate()
        self._process.join()
        self._pipe.close()


def _serve(pipe: Connection, prepare: Prepare, workload: Workload, way: str, threads: int) -> None:
    """In the other process: answer a number of samples by the seconds of a step, and what goes wrong by a sentence."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(threads)
    try:
        pipe.send(0.0)
        samples = pipe.recv()
        start = time.perf_counter()
        call = prepare(workload, way)
        call(samples)
        pipe.send(time.perf_counter() - start)
        while (samples := pipe.recv()) is not None:
            pipe.send(_best_of_turn(call, samples))
        pipe.send(peak_mib())
    except (EOFError, BrokenPipeError):
        return  # who asked is gone
    except Exception as error:
        pipe.send(str(error) if isinstance(error, LenrekError) else in_one_line(error))


def _best_of_turn(call: Call, samples: int) -> float:
    times: list[float] = []
    while sum(times) < TURN_S:
        start = time.perf_counter()
        call(samples)
        times.append(time.perf_counter() - start)
    return min(times)


def peak_mib() -> float:
    """The most memory that this process held at a time, in MiB.

    On Linux not `getrusage`'s figure, which begins with that of the process that started this one.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    if os.name == "nt":
        import psutil

        return psutil.Process().memory_info().peak_wset / 2**20
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)
