"""Where the real data lies; tests that need it skip, saying so, where it is absent."""

import os
from pathlib import Path

import numpy as np
import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = Path(os.environ.get("LENREK_DATA", SHARED / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data: set LENREK_DATA (looked in {folder})")
    return folder


@pytest.fixture(scope="session")
def real_weights() -> Path:
    folder = Path(os.environ.get("LENREK_WEIGHTS", SHARED / "weights"))
    if not folder.is_dir():
        pytest.skip(f"no real weights: set LENREK_WEIGHTS (looked in {folder})")
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
