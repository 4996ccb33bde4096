"""A tiny run and the pictures for it, as the tests of every command need them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image


@dataclass
class Outcome:
    status: int
    out: str
    err: str


Cli = Callable[..., Outcome]


def picture(bright: str, seed: int, size: tuple[int, int] = (14, 18)) -> np.ndarray:
    """A noisy RGB picture, (height, width, 3) uint8, whose upper or lower half is brighter."""
    x = np.random.default_rng(seed).integers(0, 120, (*size, 3), np.uint8)
    half = size[0] // 2
    x[slice(0, half) if bright == "above" else slice(half, None)] += 110
    return x


def class_folders(root: Path, per_class: int = 8) -> Path:
    """Two class folders, above and below, of PNG files 00.png, 01.png, …"""
    for number, name in enumerate(("above", "below")):
        (root / name).mkdir(parents=True)
        for i in range(per_class):
            Image.fromarray(picture(name, 100 * number + i)).save(root / name / f"{i:02}.png")
    return root


TINY = ("--epochs", 1, "--batch-size", 8, "--precision", "fp32")  # a training of a second
