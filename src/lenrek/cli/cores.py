"""How threads wait for each other, which decides what a training does on a machine that has something else to do."""

from __future__ import annotations

import os

SHORT_SPIN = "3000"


def wait_briefly() -> None:
    """Let OpenMP's threads give their core away after some microseconds of waiting instead of milliseconds.

    PyTorch's threads meet after every operator. By default the first one there spins for milliseconds; when another
    program holds a core, it thereby keeps the very thread it waits for from running. With the short wait LeNet-5
    trains 1.8 times as fast beside another training, and as fast alone (benchmarks/thread_waiting.py). Must come
    before PyTorch is imported; what the user has set stays.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SHORT_SPIN)
