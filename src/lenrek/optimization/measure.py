"""How fast a network is trained, and predicts, in each of the `ways`: every way in a process of its own, in turn.

So allocator settings, peak memory and what was compiled at first are each way's own, and a machine that grows slower
while they are measured does so for all of them.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import torch

from lenrek.errors import OptionError
from lenrek.optimization.program import in_one_line
from lenrek.optimization.way_process import Prepare, WayProcess, starting
from lenrek.optimization.ways import WAYS, Workload, inference, training

MIN_ROUNDS = 2  # whatever the limit: a single turn may have met another program
PAUSE_S = 0.02  # between turns: by then the idle threads of the process before have stopped spinning

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Timing:
    """One way's figures.

    Attributes:
        best_s: by number of samples, the least seconds that a step took.
        first_s: the first step and all that has to be made ready for it, compilation and conversion included.
        peak_mib: the most memory that the process held.
    """

    best_s: dict[int, float]
    first_s: float
    peak_mib: float


def measure_training(
    workload: Workload, *, rounds: int = 8, limit_s: float | None = None, threads: int | None = None,
    tell: Tell = lambda sentence: None,
) -> dict[str, Timing]:  # fmt: skip
    """A training step on the workload's batch: forward, cross-entropy, backward, SGD with momentum.

    Args:
        rounds: turns that each way gets; its best step counts.
        limit_s: start no further round after so many seconds, but at least two.
        threads: PyTorch's in each process; by default as many as here.
        tell: is told what is being done.
    Returns:
        "default", "tuned" and "lenrek": see `lenrek.optimization.ways`.
    Raises:
        OptionError: `make` cannot be sent to another process, or a number is below 1.
        ModelError: the network cannot be made, or cannot be trained on such a batch.
    Example:
        >>> from functools import partial
        >>> from torch import nn
        >>> timings = measure_training(Workload(partial(nn.Conv1d, 2, 3, 5), (2, 16), 4), rounds=1)
        >>> sorted(timings), timings["lenrek"].best_s[4] > 0
        (['default', 'lenrek', 'tuned'], True)
    """
    return _measure(training, workload, (workload.batch,), rounds, limit_s, threads, tell)


def measure_inference(
    workload: Workload, *, rounds: int = 8, limit_s: float | None = None, threads: int | None = None,
    tell: Tell = lambda sentence: None,
) -> dict[str, Timing]:  # fmt: skip
    """A prediction of one sample and of the workload's batch; otherwise as `measure_training`."""
    return _measure(inference, workload, tuple({workload.batch: 0, 1: 0}), rounds, limit_s, threads, tell)


def _measure(
    prepare: Prepare, workload: Workload, batches: tuple[int, ...], rounds: int, limit_s: float | None,
    threads: int | None, tell: Tell,
) -> dict[str, Timing]:  # fmt: skip
    threads = torch.get_num_threads() if threads is None else threads
    for name, number in (("batch", workload.batch), ("rounds", rounds), ("threads", threads)):
        if number < 1:
            raise OptionError(f"measure: {name} is {number}, but must be at least 1.")
    _check_sendable(workload)
    with ExitStack() as stack:
        tell("starting a process for each way")
        with starting():
            processes = {way: stack.enter_context(WayProcess(prepare, workload, way, threads)) for way in WAYS}
        for process in processes.values():
            process.receive()  # has imported all it needs
        best_s: dict[str, dict[int, float]] = {way: {} for way in WAYS}
        first_s = {}
        for way, process in processes.items():
            tell(f"{way}: the first step")
            first_s[way] = process.ask(workload.batch)
        start = time.perf_counter()
        for round_ in range(rounds):
            if round_ >= MIN_ROUNDS and limit_s is not None and time.perf_counter() - start > limit_s:
                break
            for batch in batches:
                for way, process in processes.items():
                    tell(f"{way}: {batch} at a time, round {round_ + 1} of {rounds}")
                    time.sleep(PAUSE_S)
                    best_s[way][batch] = min(process.ask(batch), best_s[way].get(batch, float("inf")))
        peak_mib = {way: process.ask(None) for way, process in processes.items()}
    return {way: Timing(best_s[way], first_s[way], peak_mib[way]) for way in WAYS}


def _check_sendable(workload: Workload) -> None:
    try:
        pickle.dumps(workload)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise OptionError(
            f"measure: make is {workload.make!r}, which cannot be sent to another process: {in_one_line(error)}.\n"
            "  Hint: a function at the top of a file, a class, or functools.partial of one."
        ) from error
