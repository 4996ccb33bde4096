"""Waiting for a page."""

from __future__ import annotations

import time
from typing import Any


def until(page: Any, condition: str, within_s: float = 15) -> None:
    """Wait until a condition holds on the page; asked from here, as its policy lets no string become a script."""
    end = time.monotonic() + within_s
    while not page.evaluate(condition):
        assert time.monotonic() < end, f"never: {condition}"
        page.wait_for_timeout(30)
