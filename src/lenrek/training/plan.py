"""What the network's input will be, decided from the data, the architecture and the user's wishes, and said aloud."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from lenrek.data.arrays import ArrayReader
from lenrek.data.source import NDIM, Source
from lenrek.errors import ModelError, OptionError, ShapeError
from lenrek.models.contract import Fit, InputContract
from lenrek.models.registry import Architecture
from lenrek.training.config import TrainConfig

# Data whose samples are all alike keeps its size up to this multiple of what the architecture was designed for.
MAX_ENLARGEMENT = 4
FINGERPRINT_SAMPLES = 1000
SIGNAL_COVERAGE = 95  # percent of the recordings that fit into the input without being cut


def plan_contract(
    source: Source, config: TrainConfig, architecture: Architecture, trained: InputContract | None = None
) -> tuple[InputContract, str]:
    """The input contract and a sentence that says what happens to the samples.

    Mean and standard deviation are still 0 and 1, unless they are those of a network that was `trained` before: then
    size and fit are its own, too, where the user does not want others.
    """
    ndim = NDIM[source.kind]
    if ndim not in architecture.ndims:
        offered = " or ".join(f"{n}-D" for n in architecture.ndims)
        raise ModelError(
            f"train: {source.name} holds {source.kind}s, which are {ndim}-D, "
            f"but {architecture.name} is for {offered}.\n"
            "  Hint: lenrek models lists what each architecture takes."
        )
    if trained is not None and len(trained.size) != ndim:
        raise ModelError(
            f"train: {source.name} holds {source.kind}s, which are {ndim}-D, but {config.start} was trained on "
            f"{len(trained.size)}-D samples."
        )
    alike = bool((source.sizes == source.sizes[0]).all())
    own = _own_size(source, architecture, alike) if trained is None else trained.size
    size = _wanted_size(config.size, ndim) or own
    if min(size) < architecture.min_size:
        raise ShapeError(
            f"train: {architecture.name} needs at least {architecture.min_size} samples per axis, but the size is "
            f"{_by(size)}.\n  Hint: pass --size {architecture.default_size}, or another --model."
        )
    fit: Fit = config.fit or ("pad" if source.kind == "signal" else "stretch" if alike else "crop")  # type: ignore[assignment]
    if trained is not None:
        contract = _as_trained(source, config, trained, size)
        return contract, _describe(source, contract, alike)
    zeros, ones = (0.0,) * source.channels, (1.0,) * source.channels
    contract = InputContract(
        source.channels, size, zeros, ones, source.classes, fit, sample_rate_hz=source.sample_rate_hz
    )
    return contract, _describe(source, contract, alike)


def data_fingerprint(source: Source) -> str:
    """A hash of the classes and the samples' names, labels, sizes, groups and parts: is this the data of the run?

    Arrays, whose samples have no names of their own, are looked at themselves: at most 1,000 samples, evenly spaced.
    """
    digest = hashlib.sha256(repr(source.classes).encode())
    digest.update("\0".join(source.names).encode("utf-8", "surrogateescape"))
    for numbers in (source.labels, source.sizes):
        digest.update(np.ascontiguousarray(numbers, np.int64).data)
    for words in (source.groups, source.split):
        digest.update(b"none" if words is None else "\0".join(map(str, words)).encode("utf-8", "surrogateescape"))
    if isinstance(source.reader, ArrayReader):
        some = np.arange(FINGERPRINT_SAMPLES) * len(source) // FINGERPRINT_SAMPLES
        digest.update(np.ascontiguousarray(source.reader.x[np.unique(some)]).data)
    return digest.hexdigest()


def contents_fingerprint(source: Source) -> str:
    """As `data_fingerprint`, and it changes with the samples: files by size and time, arrays by all their values."""
    digest = hashlib.sha256(data_fingerprint(source).encode())
    if isinstance(source.reader, ArrayReader):
        digest.update(np.ascontiguousarray(source.reader.x).data)
    for path in getattr(source.reader, "paths", ()):
        if path.exists():
            about = path.stat()
            digest.update(f"{about.st_size} {about.st_mtime_ns}".encode())
    return digest.hexdigest()


def _wanted_size(size: tuple[int, ...] | None, ndim: int) -> tuple[int, ...] | None:
    if size is None or len(size) == ndim:
        return size
    if len(size) == 1:
        return size * ndim
    raise OptionError(f"train: size {_by(size)} has {len(size)} axes, but the data has {ndim}.")


def _as_trained(source: Source, config: TrainConfig, trained: InputContract, size: tuple[int, ...]) -> InputContract:
    """The contract of a network trained before, for these classes. Grey images are shown to a network for colours."""
    fit: Fit = config.fit or trained.fit  # type: ignore[assignment]
    crop_fraction = trained.crop_fraction if fit == trained.fit else 1.0
    fitted = replace(trained, size=size, classes=source.classes, fit=fit, crop_fraction=crop_fraction)
    if source.channels == trained.channels or (
        source.kind == "image" and trained.channels == 3 and source.channels == 1
    ):
        return fitted
    channels = source.channels
    return replace(fitted, channels=channels, mean=(0.0,) * channels, std=(1.0,) * channels)


def _own_size(source: Source, architecture: Architecture, alike: bool) -> tuple[int, ...]:
    native = tuple(int(n) for n in source.sizes[0])
    if source.kind == "signal":
        length = int(np.percentile(source.sizes, SIGNAL_COVERAGE, method="higher"))
        return (max(length, architecture.min_size),)
    if alike and architecture.min_size <= min(native) and max(native) <= MAX_ENLARGEMENT * architecture.default_size:
        return native
    typical = int(np.median(source.sizes.min(1)))
    side = architecture.default_size if alike else min(architecture.default_size, typical)
    return (max(side, architecture.min_size),) * len(native)


def _describe(source: Source, contract: InputContract, alike: bool) -> str:
    size = _by(contract.size)
    native = _by(tuple(source.sizes[0]))
    if alike and tuple(source.sizes[0]) == contract.size:
        return f"{source.kind.capitalize()}s are used at their own size, {native}."
    found = native if alike else f"{_by(tuple(source.sizes.min(0)))} to {_by(tuple(source.sizes.max(0)))}"
    how = {
        "stretch": "every axis is resized",
        "crop": "the short side is resized, the centre cut out",
        "pad": "centred, zeros around, what is longer is cut",
    }[contract.fit]
    rate = f" at {contract.sample_rate_hz} Hz" if contract.sample_rate_hz else ""
    return f"{source.kind.capitalize()}s of {found} become {size}{rate}: {how}."


def _by(size: tuple[int, ...]) -> str:
    return "×".join(str(int(n)) for n in size)
