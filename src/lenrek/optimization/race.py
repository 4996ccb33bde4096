"""Which engine is fastest here: all of them in turn, on one sample and on many."""

from __future__ import annotations

import time

from torch import Tensor

from lenrek.optimization.engines import Engine, Run

REQUIRED_GAIN = 1.05  # noise must not choose another engine
MEASURE_S = 0.3  # per batch size and engine, where calls are short
BURST_S = 0.03  # an engine at a time, so that it does not meet the waiting threads of the one before
MIN_BURSTS = 2
HOPELESS = 3.0  # an engine whose first burst is so much slower than the best is not measured again


def race(engines: list[Engine], x: Tensor) -> None:
    """Fill in `times_s`: the engines in turn, in bursts, so that a drifting machine hits all alike."""
    for batch in (1, len(x)):
        samples, start, bursts, hopeful = x[:batch], time.perf_counter(), 0, engines
        while bursts < MIN_BURSTS or time.perf_counter() - start < MEASURE_S * len(engines):
            for engine in hopeful:
                engine.times_s[batch] = min(burst(engine.run, samples), engine.times_s.get(batch, float("inf")))
            least = min(engine.times_s[batch] for engine in engines)
            hopeful = [engine for engine in engines if engine.times_s[batch] <= HOPELESS * least]
            bursts += 1


def burst(run: Run, x: Tensor) -> float:
    """The least time of some calls in a row; of one, where it takes long."""
    times: list[float] = []
    while sum(times) < BURST_S:
        start = time.perf_counter()
        run(x)
        times.append(time.perf_counter() - start)
    return min(times)


def fastest(engines: list[Engine], batch: int) -> Engine:
    chosen = engines[0]
    for engine in engines[1:]:
        if engine.times_s[batch] * REQUIRED_GAIN < chosen.times_s[batch]:
            chosen = engine
    return chosen
