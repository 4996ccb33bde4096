"""Small files of data, written for the tests of sources."""

import wave

import numpy as np
from PIL import Image


def write_image(path, value, size=(5, 7)):
    """A grey PNG (height, width) filled with `value`; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(size, value, np.uint8)).save(path)
    return path


def write_wav(path, num_samples=40, sample_rate_hz=8000, value=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate_hz)
        file.writeframes(np.full(num_samples, value, "<i2").tobytes())
    return path


def write_classes(root, counts):
    """Class folders: {"cat": 2} makes cat/0.png and cat/1.png, every picture another."""
    value = 0
    for name, number in counts.items():
        for index in range(number):
            write_image(root / name / f"{index}.png", value)
            value += 1
    return root


def idx_bytes(array, code=0x08):
    sizes = b"".join(int(size).to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, code, array.ndim]) + sizes + array.tobytes()


def messages(source, kind):
    return [problem.message for problem in source.problems if problem.kind == kind]
