"""Small made-up data that a network learns in seconds, as arrays and as files."""

from pathlib import Path

import numpy as np
from PIL import Image


def pictures(number: int = 80, height: int = 14, width: int = 18) -> tuple[np.ndarray, np.ndarray]:
    """Two classes of noisy grey pictures: bright above (0), bright below (1)."""
    random = np.random.default_rng(2)
    y = np.arange(number) % 2
    x = random.integers(0, 160, (number, height, width), np.uint8)
    half = height // 2
    for picture, label in zip(x, y, strict=True):
        picture[half * label : half * label + half] += 60
    return x, y


def class_folders(path: Path, number: int = 80, size: tuple[int, int] = (19, 24), mode: str = "L") -> Path:
    """The same as PNG files in the folders above/ and below/, of mode "L" or "RGB"."""
    for name in ("above", "below"):
        (path / name).mkdir(parents=True)
    for index, (picture, label) in enumerate(zip(*pictures(number, *size), strict=True)):
        file = path / ("above", "below")[label] / f"{index:03}.png"
        Image.fromarray(picture).convert(mode).save(file)
    return path
