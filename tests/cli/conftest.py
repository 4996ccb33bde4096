"""The command line as a user meets it: arguments in; exit status, stdout and stderr out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lenrek
from lenrek.cli.app import main


@dataclass
class Outcome:
    status: int
    out: str
    err: str


Cli = Callable[..., Outcome]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Cli:
    """Run `lenrek ARGUMENTS…` in this process; every test has a cache of its own."""
    monkeypatch.setenv("LENREK_CACHE", str(tmp_path / "cache"))

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["lenrek", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return Outcome(end.value.code or 0, *capfd.readouterr())  # type: ignore[arg-type]

    return run


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


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of eight whole pictures; read only."""
    return class_folders(tmp_path_factory.mktemp("data") / "pictures")


@pytest.fixture(scope="session")
def run(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on `folders`; read only."""
    path = tmp_path_factory.mktemp("runs") / "run"
    lenrek.train(folders, out=path, epochs=1, batch_size=8, precision="fp32", progress=False)
    return path
