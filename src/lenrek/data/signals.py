"""Recordings: WAV files, and samples as a network's contract wants them.

What happens to a recording on the way, always in this order: samples scaled to −1…1, channels averaged when the
contract says one, resampled to the contract's rate (polyphase, Kaiser-windowed low-pass), rounded to int16, then
`fit.py`'s geometry.

The RIFF structure is read here and not by `scipy.io.wavfile`, which tells a file cut short only by a warning and
cannot read a header alone.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from lenrek.data.fit import fit_sample
from lenrek.data.images import describe_start, read_bytes
from lenrek.data.shown import shown
from lenrek.errors import DataError
from lenrek.models.contract import InputContract

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
COMPRESSED = {2: "ADPCM", 6: "A-law", 7: "µ-law", 17: "IMA ADPCM", 49: "GSM", 85: "MP3"}
UNKNOWN_LENGTH = 0xFFFFFFFF  # written by programs that stream into a pipe: the data go on to the end of the file


@dataclass(frozen=True)
class SignalHeader:
    """A recording as it is stored.

    Attributes:
        num_samples: per channel.
        channels: of the file.
        sample_rate_hz: of the file.
    """

    num_samples: int
    channels: int
    sample_rate_hz: int


@dataclass(frozen=True)
class _Wave:
    """Where a WAV file's samples lie, and how to read them."""

    header: SignalHeader
    is_float: bool
    sample_bytes: int
    start: int


def inspect_signal(path: Path) -> SignalHeader:
    """Length, channels and rate of a WAV file.

    Raises:
        DataError: the file cannot be read, is empty, is no WAV, is compressed, or is cut short.
    """
    return _parse(read_bytes(path), path).header


class SignalReader:
    """Reads WAV files (8-bit unsigned, 16, 24, 32-bit integer, 32 and 64-bit float).

    Args:
        paths: one per sample.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths

    def read(self, index: int, contract: InputContract) -> np.ndarray:
        """Sample `index` as int16 (contract.channels, *contract.size).

        Raises:
            DataError: the file is damaged, or its channels are neither one nor as many as the contract wants.
        """
        path = self.paths[index]
        content = read_bytes(path)
        wave = _parse(content, path)
        x = _samples(content, wave)
        if not np.isfinite(x).all():
            raise DataError(f"{shown(path)}: holds NaN or infinite samples.")
        if contract.channels == 1:
            x = x.mean(axis=0, keepdims=True)
        elif contract.channels != wave.header.channels:
            raise DataError(
                f"{shown(path)}: has {wave.header.channels} channels, but the network expects {contract.channels}."
            )
        if contract.sample_rate_hz is not None:
            x = resample(x, wave.header.sample_rate_hz, contract.sample_rate_hz)
        whole = np.rint(x * 32768).clip(-32768, 32767).astype(np.int16)
        return fit_sample(whole, contract)


def resample(x: np.ndarray, from_hz: int, to_hz: int) -> np.ndarray:
    """x (channels, samples) from one rate to another; ⌈samples · to / from⌉ samples result.

    Source: `scipy.signal.resample_poly` with its default filter.
    """
    if from_hz == to_hz:
        return x
    from scipy.signal import resample_poly

    shared = math.gcd(from_hz, to_hz)
    up, down = to_hz // shared, from_hz // shared
    return resample_poly(x, up, down, axis=1, window=_low_pass(max(up, down)))


@lru_cache(maxsize=16)
def _low_pass(ratio: int) -> np.ndarray:
    """resample_poly's own design, made once per pair of rates: for 44,100 → 8,000 Hz it costs more than using it."""
    from scipy.signal import firwin

    return firwin(20 * ratio + 1, 1 / ratio, window=("kaiser", 5.0)).astype(np.float32)


def _parse(content: bytes, path: Path) -> _Wave:
    name = shown(path)
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise DataError(f"{name}: not a WAV file: {describe_start(content)}.")
    chunks: dict[bytes, tuple[int, int]] = {}  # what → (first byte, length as declared)
    position = 12
    while position + 8 <= len(content) and b"data" not in chunks:
        what, length = struct.unpack_from("<4sI", content, position)
        chunks[what] = (position + 8, length)
        position += 8 + length + length % 2
    format_start, format_bytes = chunks.get(b"fmt ", (0, 0))
    if format_bytes < 16 or format_start + format_bytes > len(content):
        raise DataError(f"{name}: damaged WAV: {len(content):,} bytes without a whole format chunk.")
    code, channels, rate_hz, _, frame_bytes, bits = struct.unpack_from("<HHIIHH", content, format_start)
    if code == EXTENSIBLE and format_bytes >= 26:
        (code,) = struct.unpack_from("<H", content, format_start + 24)
    if bits not in {PCM: (8, 16, 24, 32), FLOAT: (32, 64)}.get(code, ()):
        kind = COMPRESSED.get(code, f"format {code}")
        raise DataError(
            f"{name}: {kind} with {bits} bits a sample cannot be read: expected 8, 16, 24 or 32-bit integers or "
            f"32 or 64-bit floats.\n  Hint: convert it first, for example with ffmpeg -i IN.wav -c:a pcm_s16le OUT.wav"
        )
    if channels < 1 or rate_hz < 1 or frame_bytes != channels * bits // 8:
        raise DataError(
            f"{name}: damaged WAV: {channels} channels of {bits} bits at {rate_hz} Hz in frames of {frame_bytes} bytes."
        )
    if b"data" not in chunks:
        raise DataError(f"{name}: damaged WAV: {len(content):,} bytes without a data chunk.")
    start, length = chunks[b"data"]
    present = len(content) - start
    if length != UNKNOWN_LENGTH and length > present:
        raise DataError(f"{name}: cut short: the header says {length:,} bytes of samples, but {present:,} are there.")
    num_samples = min(length, present) // frame_bytes
    if num_samples == 0:
        raise DataError(f"{name}: a WAV file without a single sample.")
    return _Wave(SignalHeader(num_samples, channels, rate_hz), code == FLOAT, bits // 8, start)


def _samples(content: bytes, wave: _Wave) -> np.ndarray:
    """float32 (channels, samples), integers scaled to −1…1; 16 and 24 bits exactly."""
    shape = (wave.header.num_samples, wave.header.channels)
    count = shape[0] * shape[1]
    x: np.ndarray
    if wave.is_float:
        x = np.frombuffer(content, f"<f{wave.sample_bytes}", count, wave.start).astype(np.float32)
    elif wave.sample_bytes == 1:
        x = np.frombuffer(content, np.uint8, count, wave.start).astype(np.float32) / 128 - 1
    elif wave.sample_bytes == 3:
        # Three bytes become the upper three of an int32, so that the sign comes out right.
        words = np.zeros((count, 4), np.uint8)
        words[:, 1:] = np.frombuffer(content, np.uint8, count * 3, wave.start).reshape(count, 3)
        x = words.view("<i4")[:, 0].astype(np.float32) / 2**31
    else:
        x = np.frombuffer(content, f"<i{wave.sample_bytes}", count, wave.start).astype(np.float32)
        x /= 2 ** (8 * wave.sample_bytes - 1)
    return x.reshape(shape).T
