"""The compiled kernels: found, checked, loaded, and the instruction set chosen.

The library is plain C: it links neither Python nor PyTorch, so one build serves every version of both. It holds every
kernel once per instruction set, and only those that this processor can run are ever called.

Two variables of the environment, read when lenrek's kernels are first imported:

    LENREK_ISA      portable, avx2, avx512 or avx512_bf16, instead of the best one this processor has
    LENREK_LIBRARY  another build of the library, such as one with sanitizers
"""

from __future__ import annotations

import ctypes
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

import lenrek.kernels
from lenrek.errors import OptionError

ABI = 5  # that of csrc/processor.cpp
ISAS = ("portable", "avx2", "avx512", "avx512_bf16")  # from the slowest to the fastest
WITHOUT_KERNELS = "lenrek runs on PyTorch's operators"  # the start of a warning
FILE = {"darwin": "liblenrek.dylib", "win32": "lenrek.dll"}.get(sys.platform, "liblenrek.so")


@dataclass(frozen=True)
class Active:
    """What the kernels run on, and why not more.

    Attributes:
        path: the library; None where there is none.
        isas: the instruction sets that both the library and this processor have, from the slowest to the fastest.
        isa: the one in use; None without a library, when PyTorch's own operators do the work.
        threaded: whether the kernels share PyTorch's OpenMP threads; otherwise they run on one.
        reason: why there is no library, or no thread; empty where nothing is missing.
    """

    path: Path | None = None
    isas: tuple[str, ...] = ()
    isa: str | None = None
    threaded: bool = False
    reason: str = ""


class UnusableError(Exception):
    """Why a library is not used; becomes `Active.reason`."""


def active() -> Active:
    """What the kernels run on.

    >>> active().isa in (*ISAS, None)
    True
    """
    return _active


def available() -> bool:
    """Whether there are compiled kernels; without them every operator runs as its twin in plain PyTorch."""
    return _active.isa is not None


def kernel(name: str) -> Callable[..., Any]:
    """The C function `name`, in the instruction set in use; its arguments are those of `declare`."""
    return _kernels[f"{name}_{_active.isa}"]


def declare(name: str, *argument_types: Any) -> None:
    """State the ctypes of a kernel's arguments, once, where its Python side is defined. Kernels return nothing."""
    for isa in _active.isas:
        symbol = f"{name}_{isa}"
        _kernels[symbol] = function = getattr(_library, symbol)
        function.argtypes, function.restype = argument_types, None


@contextmanager
def using(isa: str | None) -> Iterator[None]:
    """Run the kernels of another instruction set, or with None PyTorch's operators: for tests and benchmarks.

    Raises:
        OptionError: this processor or library lacks it.
    """
    global _active
    before = _active
    _active = replace(before, isa=None if isa is None else _choose(isa, before.isas, "using"))
    try:
        yield
    finally:
        _active = before


def _choose(wanted: str, isas: tuple[str, ...], who: str) -> str:
    if wanted not in ISAS:
        raise OptionError(f"{who}: instruction set {wanted!r}, expected one of {', '.join(ISAS)}.")
    if wanted not in isas:
        has = f"has {', '.join(isas)}" if isas else "has no compiled kernels"
        raise OptionError(
            f"{who}: instruction set {wanted!r}, but this processor with this installation {has}.\n"
            f"  Hint: without {who} the best one is chosen."
        )
    return wanted


def _load(environment: dict[str, str] | os._Environ[str]) -> tuple[ctypes.CDLL | None, Active]:
    """The library that `environment` asks for or the installed one, and what it offers on this processor."""
    wanted = environment.get("LENREK_ISA")
    try:
        path = _find(environment.get("LENREK_LIBRARY"))
        library = _open(path)
    except UnusableError as error:
        if wanted:
            _choose(wanted, (), "LENREK_ISA")
        return None, Active(reason=str(error))
    isas = tuple(library.lenrek_isas().decode().split())
    isa = _choose(wanted, isas, "LENREK_ISA") if wanted else isas[-1]
    reason = _share_threads(library)
    return library, Active(path, isas, isa, threaded=not reason, reason=reason)


def _find(wanted: str | None) -> Path:
    if wanted:
        return Path(wanted)
    # Installed for editing, the package has two folders: the sources', and the one that holds what was built.
    for folder in lenrek.kernels.__path__:
        path = Path(folder, FILE)
        if path.is_file():
            return path
    raise UnusableError("the kernels were not compiled: no C++ compiler (GCC or Clang) when lenrek was installed")


def _open(path: Path) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(str(path))
        abi = library.lenrek_abi()
    except (OSError, AttributeError) as error:  # for another system or processor, damaged, or another library
        raise UnusableError(f"{path} cannot be used: {error}") from error
    if abi != ABI:
        raise UnusableError(f"{path} is of generation {abi}, expected {ABI}: install lenrek again")
    library.lenrek_isas.restype = ctypes.c_char_p
    return library


def _share_threads(library: ctypes.CDLL) -> str:
    """Hand the kernels the OpenMP runtime that PyTorch runs on; why not, where that fails."""
    folder = Path(torch.__file__).parent / "lib"
    paths = list(folder.glob("*torch_cpu.*"))  # libtorch_cpu.so, libtorch_cpu.dylib
    names = ("GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads")
    try:
        # Already loaded: this finds what PyTorch itself was linked with, and starts nothing.
        runtime = ctypes.CDLL(str(paths[0]))
        library.lenrek_use_runtime(*(ctypes.cast(getattr(runtime, name), ctypes.c_void_p) for name in names))
    except (IndexError, OSError, AttributeError) as error:
        return f"one thread only: PyTorch's OpenMP runtime was not found in {folder} ({error})"
    return ""


_kernels: dict[str, Callable[..., Any]] = {}
_library, _active = _load(os.environ)
if not available():
    warnings.warn(f"{WITHOUT_KERNELS}: {_active.reason}.", RuntimeWarning, stacklevel=2)
