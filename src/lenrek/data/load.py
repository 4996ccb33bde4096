"""Which of the two paths a source takes, memory or files, and what its values are like."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import psutil

from lenrek.data.resident import already_resident, decode_all
from lenrek.data.samples import Samples
from lenrek.data.shown import counted
from lenrek.data.source import Source
from lenrek.data.stream import StreamedSamples
from lenrek.errors import DataError, OptionError
from lenrek.models.contract import InputContract

Mode = Literal["auto", "resident", "stream"]

RESIDENT_SHARE = 0.5  # of the free memory: the other half is for the network, its activations and everyone else
STATISTICS_BATCH = 64  # in float64, eight times the stored size
CGROUP = Path("/sys/fs/cgroup")


def load_samples(
    source: Source,
    contract: InputContract,
    *,
    indices: np.ndarray | None = None,
    mode: Mode = "auto",
    strict: bool = False,
    say: Callable[[str], None] | None = None,
) -> Samples:
    """Samples ready for batches: decoded once into memory when half of the free memory holds them, else streamed.

    Args:
        indices: the samples that will be asked for; None for all.
        mode: "resident" or "stream" overrules the choice; arrays that fit as they are stay in memory in any mode.
        strict: the first damaged sample is an error.
        say: told in one sentence what was chosen, with the numbers.
    Raises:
        DataError: nothing was asked for, nothing can be read, or mode="resident" does not fit in the free memory.
        OptionError: an unknown mode.
    """
    if mode not in ("auto", "resident", "stream"):
        raise OptionError(f"load_samples: mode is {mode!r}, but auto, resident or stream is expected.")
    number = len(source) if indices is None else len(indices)
    if number == 0:
        raise DataError(f"{source.name}: no samples were asked for.")
    say = say or (lambda sentence: None)
    what = f"{counted(number, source.kind)} of {contract.channels}×{'×'.join(map(str, contract.size))}"
    resident = already_resident(source, contract, indices)
    if resident is not None:
        say(f"{what} take {_size(number * resident.x[0].nbytes)}: already in memory.")
        return resident
    streamed = StreamedSamples(source, contract, indices, strict=strict)
    size_bytes = number * contract.channels * math.prod(contract.size) * streamed.dtype.itemsize
    free_bytes = free_memory_bytes()
    takes = f"{what} take {_size(size_bytes)}"
    if mode == "stream":
        say(f"{takes}: read again in every epoch, as asked.")
        return streamed
    if mode == "auto" and size_bytes > RESIDENT_SHARE * free_bytes:
        say(f"{takes}, more than half of the {_size(free_bytes)} free: read again in every epoch.")
        return streamed
    if size_bytes > free_bytes:
        raise DataError(
            f"{source.name}: {takes}, but {_size(free_bytes)} are free.\n  Hint: stream them, or choose a smaller size."
        )
    say(f"{takes}: decoded once and kept in memory.")
    return decode_all(streamed)


def channel_statistics(
    samples: Samples, order: np.ndarray, limit: int | None = 10_000
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of every channel, of values as `InputContract` scales them.

    Args:
        order: the samples to look at: those for training, never those for testing.
        limit: at most so many of them, evenly spaced; None for all.
    Returns:
        (mean, std); a channel that never changes has std 1, so that it can be divided by.
    Raises:
        DataError: none of the samples can be read.
    Example:
        >>> from lenrek.data.arrays import array_source
        >>> source = array_source("two", np.array([[0, 255], [255, 0]], np.uint8), [0, 1])
        >>> samples = load_samples(source, InputContract(1, (2,), (0.0,), (1.0,), source.classes))
        >>> channel_statistics(samples, samples.index)
        ((0.5,), (0.5,))
    """
    import torch

    from lenrek.data.normalise import FULL_SCALE

    if limit is not None and len(order) > limit:
        order = np.asarray(order)[np.arange(limit) * len(order) // limit]
    total, squares = torch.zeros(2, 1, dtype=torch.float64)
    count, scale = 0, 1.0
    for batch in samples.batches(order, STATISTICS_BATCH):
        axes = [0, *range(2, batch.x.ndim)]
        # Sums of whole numbers below 2**53 are exact in float64, so neither order nor batches matter for stored pixels.
        x = batch.x.to(torch.float64)
        total, squares = total + x.sum(axes), squares + x.square().sum(axes)
        count, scale = count + x.numel() // x.shape[1], FULL_SCALE[batch.x.dtype]
    if count == 0:
        raise DataError(f"channel_statistics: none of {counted(len(order), 'sample')} could be read.")
    mean = total / count
    variance = (squares / count - mean.square()).clamp(min=0)
    std = variance.sqrt() / scale
    std[std == 0] = 1.0
    return tuple((mean / scale).tolist()), tuple(std.tolist())


def free_memory_bytes() -> int:
    """What this process can still take: of the machine, and of the container around it where there is one."""
    free = psutil.virtual_memory().available
    try:
        limit = (CGROUP / "memory.max").read_text().strip()
        used = int((CGROUP / "memory.current").read_text())
        stat = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
    except FileNotFoundError:
        return free  # no container
    if limit == "max":
        return free
    return max(0, min(free, int(limit) - used + int(stat["inactive_file"])))


def _size(size_bytes: float) -> str:
    """1,000-based, three digits.

    >>> _size(184_320_000), _size(2_450_000_000), _size(784)
    ('184 MB', '2.45 GB', '0.784 kB')
    """
    unit, scale = next(
        ((unit, scale) for unit, scale in (("GB", 1e9), ("MB", 1e6)) if size_bytes >= scale), ("kB", 1e3)
    )
    return f"{size_bytes / scale:.3g} {unit}"
