"""Freed memory kept mapped: a training step allocates the same large tensors again and again, and the system's pages
are handed out one fault at a time."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_LARGEST = 2**31 - 1


def keep_memory(keep: bool = True) -> bool:
    """Let this process keep what it frees, for itself; with False, give back again what is freed from now on.

    The process then holds its peak memory to its end. It applies to the whole process and to Linux's C library; the
    result says whether it could be done.

    Source: mallopt(3), M_MMAP_THRESHOLD and M_TRIM_THRESHOLD.
    Example:
        >>> keep_memory() in (True, False)
        True
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    threshold = _LARGEST if keep else 128 * 1024
    return bool(mallopt(_MMAP_THRESHOLD, threshold) and mallopt(_TRIM_THRESHOLD, threshold))
