"""The one folder in which lenrek keeps what it would otherwise fetch, unpack or measure again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """`LENREK_CACHE` where it is set, else the operating system's cache folder for lenrek. Not created here."""
    if folder := os.environ.get("LENREK_CACHE"):
        return Path(folder)
    import pooch

    return Path(pooch.os_cache("lenrek"))
