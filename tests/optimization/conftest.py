"""An optimised network has its process keep freed memory; between tests of large ones that is too much of it."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _freed_memory_given_back() -> Iterator[None]:
    yield
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc
        gc.collect()
        if trim is not None:
            trim(0)
