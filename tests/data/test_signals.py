import struct

import numpy as np
import pytest
import scipy.signal
from scipy.io import wavfile

from lenrek.data.signals import SignalHeader, SignalReader, inspect_signal
from lenrek.errors import DataError
from lenrek.models.contract import InputContract

RATE_HZ = 8000


def read(path, length, channels=1, rate_hz=RATE_HZ, fit="pad"):
    contract = InputContract(channels, (length,), (0.0,) * channels, (1.0,) * channels, ("a", "b"), fit, 1.0, rate_hz)
    return SignalReader([path]).read(0, contract)


def wave(code=1, channels=1, rate_hz=RATE_HZ, bits=16, data=b"\1\0\2\0", before=b"", declared=None, extra=b""):
    """The bytes of a WAV file, right or wrong in any field."""
    frame = channels * bits // 8
    format_chunk = struct.pack("<HHIIHH", code, channels, rate_hz, rate_hz * frame, frame, bits) + extra
    body = b"WAVEfmt " + struct.pack("<I", len(format_chunk)) + format_chunk + before
    body += b"data" + struct.pack("<I", len(data) if declared is None else declared) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize(
    ("dtype", "to_int16"),
    [
        (np.uint8, lambda v: (v.astype(int) - 128) * 256),
        (np.int16, lambda v: v),
        (np.int32, lambda v: np.rint(v / 65536.0)),
        (np.float32, lambda v: np.rint(v.astype(float) * 32768)),
        (np.float64, lambda v: np.rint(v * 32768)),
    ],
)
def test_every_sample_format(tmp_path, dtype, to_int16):
    rng = np.random.default_rng(0)
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        values = rng.integers(limits.min, limits.max, 101, dtype, endpoint=True)
    else:
        values = rng.uniform(-1, 0.999, 101).astype(dtype)
    wavfile.write(tmp_path / "a.wav", RATE_HZ, values)
    assert inspect_signal(tmp_path / "a.wav") == SignalHeader(101, 1, RATE_HZ)
    y = read(tmp_path / "a.wav", 101)
    assert y.dtype == np.int16
    np.testing.assert_allclose(y[0], np.clip(to_int16(values), -32768, 32767), atol=0 if dtype != np.int32 else 1)


def test_24_bits_as_scipy_reads_them(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(wave(bits=24, data=np.random.default_rng(0).bytes(3 * 50)))
    _, expected = wavfile.read(path)  # int32, the 24 bits uppermost
    np.testing.assert_array_equal(read(path, 50)[0], np.clip(np.rint(expected / 65536.0), -32768, 32767))


def test_loud_floats_are_clipped_and_nan_is_refused(tmp_path):
    path = tmp_path / "a.wav"
    wavfile.write(path, RATE_HZ, np.array([1.5, -2.0, 0.5], np.float32))
    np.testing.assert_array_equal(read(path, 3)[0], [32767, -32768, 16384])
    wavfile.write(path, RATE_HZ, np.array([0.0, np.nan], np.float32))
    with pytest.raises(DataError) as error:
        read(path, 2)
    assert str(error.value) == f"{path}: holds NaN or infinite samples."


def test_channels_are_averaged_or_kept(tmp_path):
    path = tmp_path / "a.wav"
    wavfile.write(path, RATE_HZ, np.array([[100, 300], [-50, 50], [7, 9]], np.int16))
    assert inspect_signal(path) == SignalHeader(3, 2, RATE_HZ)
    np.testing.assert_array_equal(read(path, 3), [[200, 0, 8]])
    np.testing.assert_array_equal(read(path, 3, channels=2), [[100, -50, 7], [300, 50, 9]])
    with pytest.raises(DataError) as error:
        read(path, 3, channels=3)
    assert str(error.value) == f"{path}: has 2 channels, but the network expects 3."


@pytest.mark.parametrize(("from_hz", "to_hz"), [(8000, 12000), (44100, 8000), (11025, 11025)])
def test_resampling_is_scipys(tmp_path, from_hz, to_hz):
    x = np.random.default_rng(0).integers(-20000, 20000, 1500).astype(np.int16)
    wavfile.write(tmp_path / "a.wav", from_hz, x)
    expected = scipy.signal.resample_poly(x.astype(np.float64), to_hz, from_hz)
    assert len(expected) == -(-1500 * to_hz // from_hz)
    y = read(tmp_path / "a.wav", len(expected), rate_hz=to_hz)
    np.testing.assert_allclose(y[0], np.clip(expected, -32768, 32767), atol=0.6)


def test_padding_cutting_and_stretching(tmp_path):
    path = tmp_path / "a.wav"
    wavfile.write(path, RATE_HZ, np.array([10, 20, 30, 40, 50], np.int16))
    np.testing.assert_array_equal(read(path, 8)[0], [0, 10, 20, 30, 40, 50, 0, 0])
    np.testing.assert_array_equal(read(path, 2)[0], [20, 30])
    np.testing.assert_array_equal(read(path, 10, fit="stretch")[0], [10, 12, 18, 22, 28, 32, 38, 42, 48, 50])


def test_chunks_before_the_samples_extensible_format_and_unknown_length(tmp_path):
    path = tmp_path / "a.wav"
    odd_chunk = b"LIST" + struct.pack("<I", 3) + b"abc\0"  # padded to an even number of bytes
    path.write_bytes(wave(before=odd_chunk))
    np.testing.assert_array_equal(read(path, 2), [[1, 2]])
    extension = struct.pack("<HHIH", 22, 16, 0, 1) + b"\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"
    path.write_bytes(wave(code=0xFFFE, extra=extension))
    np.testing.assert_array_equal(read(path, 2), [[1, 2]])
    path.write_bytes(wave(declared=0xFFFFFFFF))
    np.testing.assert_array_equal(read(path, 2), [[1, 2]])


CONVERT = "\n  Hint: convert it first, for example with ffmpeg -i IN.wav -c:a pcm_s16le OUT.wav"
EXPECTED = "cannot be read: expected 8, 16, 24 or 32-bit integers or 32 or 64-bit floats."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty: 0 bytes."),
        (b"ID3 tag of an mp3", "not a WAV file: its 17 bytes begin with the text 'ID3 tag of an mp'."),
        (b"RIFF\0\0\0\0WAVE", "damaged WAV: 12 bytes without a whole format chunk."),
        (wave()[:30], "damaged WAV: 30 bytes without a whole format chunk."),
        (wave()[:36], "damaged WAV: 36 bytes without a data chunk."),
        (wave(data=bytes(1000))[:444], "cut short: the header says 1,000 bytes of samples, but 400 are there."),
        (wave(data=b""), "a WAV file without a single sample."),
        (wave(code=6, bits=8), f"A-law with 8 bits a sample {EXPECTED}{CONVERT}"),
        (wave(bits=12), f"format 1 with 12 bits a sample {EXPECTED}{CONVERT}"),
        (wave(channels=0), "damaged WAV: 0 channels of 16 bits at 8000 Hz in frames of 0 bytes."),
    ],
)
def test_damaged_files_are_named_with_what_is_wrong(tmp_path, content, message):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    for action in (inspect_signal, lambda p: read(p, 2)):
        with pytest.raises(DataError) as error:
            action(path)
        assert str(error.value) == f"{path}: {message}"


def test_spoken_digits(real_data, tmp_path):
    import tarfile

    with tarfile.open(real_data / "spoken-digits.tar.gz") as archive:
        members = [member for member, _ in zip(archive, range(30), strict=False) if member.name.endswith(".wav")]
        archive.extractall(tmp_path, members, filter="data")
    assert members
    for member in members:
        rate_hz, expected = wavfile.read(tmp_path / member.name)
        assert inspect_signal(tmp_path / member.name) == SignalHeader(len(expected), 1, rate_hz)
        np.testing.assert_array_equal(read(tmp_path / member.name, len(expected))[0], expected)
