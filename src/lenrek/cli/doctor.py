"""`lenrek doctor`: what lenrek runs on here, what is missing, what that costs and what to do about it."""

from __future__ import annotations

import difflib
import os
import platform
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from lenrek.cli.console import emit
from lenrek.data.cache import cache_folder
from lenrek.data.shown import counted, shown, shown_lines

VARIABLES = {
    "LENREK_CACHE": "the cache folder",
    "LENREK_DATA": "a folder of named sets",
    "LENREK_DEBUG": "errors show their traceback",
    "LENREK_ISA": "the kernels' instruction set",
    "LENREK_LIBRARY": "another build of the kernels",
    "LENREK_WEIGHTS": "public weights, for the tests",
}
ENGINES = {"OpenVINO": ("openvino", ("openvino",)), "ONNX Runtime": ("onnx", ("onnxruntime", "onnx", "onnxscript"))}
FAST_SETS = ("avx", "amx", "fma", "neon", "asimd", "sve", "sme", "bf16", "arm", "vsx", "rvv")  # how their names begin
COMPILERS = ("c++", "g++", "clang++")
GET_COMPILER = {"darwin": "xcode-select --install", "linux": "sudo apt install g++ (Fedora: sudo dnf install gcc-c++)"}
AGAIN = "install lenrek again: pip install --force-reinstall --no-deps lenrek, or pip install -e . in its sources"


@dataclass
class Finding:
    """One subject.

    Attributes:
        found: a line for people.
        facts: the same for programs.
        advice: what is missing, what it costs and what to do; empty where nothing is.
    """

    found: str
    facts: Any
    advice: list[str] = field(default_factory=list)


def doctor(json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Look at this machine and installation: processor, kernels, threads, engines, cache, variables; and advise."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they would say is found and said here
        findings = {subject: _looked(subject, look) for subject, look in LOOKS.items()}
    subjects: dict[str, list[str]] = {}  # one cause may be behind several of them
    for subject, finding in findings.items():
        for sentence in finding.advice:
            subjects.setdefault(sentence, []).append(subject)
    advice = [f"{', '.join(about)}: {sentence}" for sentence, about in subjects.items()]
    if json:
        emit({subject: finding.facts for subject, finding in findings.items()} | {"advice": advice})
        return
    width = max(map(len, findings))
    for subject, finding in findings.items():
        print(f"{subject:<{width}}  {shown(finding.found)}")
    print()
    for sentence in advice:
        print(shown_lines(f"- {sentence}"))
    if not advice:
        print("Everything runs as it should.")


def _looked(subject: str, look: Callable[[], Finding]) -> Finding:
    """On a machine that is unlike all others something is unknown, and the rest is said all the same."""
    try:
        return look()
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        return Finding("unknown", None, [f"it could not be looked at: {reason}"])


def _processor() -> Finding:
    from lenrek.training.machine import processor_name

    sets = sorted(name for name, has in _capabilities().items() if has is True and name.startswith(FAST_SETS))
    told = f", with {' '.join(sets)}" if sets else ""
    return Finding(f"{processor_name()} ({platform.machine()}){told}", {"name": processor_name(), "sets": sets})


def _capabilities() -> dict[str, Any]:
    """What PyTorch knows of the processor; nothing where this version of it does not tell."""
    import torch

    capabilities: Callable[[], dict[str, Any]] = getattr(torch.cpu, "get_capabilities", dict)
    return capabilities()


def _kernels() -> Finding:
    from lenrek.kernels.library import ISAS, active

    kernels = active()
    facts = asdict(kernels) | {"path": str(kernels.path) if kernels.path else None}
    if kernels.isa is None:
        return Finding(
            f"none: {kernels.reason}", facts,
            [f"norms, activations and pooling take four to nine times as long; {_compiler()}"],
        )  # fmt: skip
    more = [isa for isa in ISAS if isa not in kernels.isas]
    lacking = f"; this processor has no {', '.join(more)}" if more else ""
    advice = []
    if kernels.isa != kernels.isas[-1]:
        advice.append(f"LENREK_ISA keeps them from {kernels.isas[-1]}, which is faster; unset it")
    if not kernels.threaded:
        advice.append(f"{kernels.reason}; they leave the other cores idle: install PyTorch from PyPI, with pip")
    sharing = "on PyTorch's threads" if kernels.threaded else "on one thread"
    return Finding(f"{kernels.isa}, {sharing}{lacking}", facts, advice)


def _compiler() -> str:
    """How there come to be compiled kernels."""
    if os.environ.get("LENREK_LIBRARY"):
        return "unset LENREK_LIBRARY, which names the library that is not used"
    found = next(filter(None, map(shutil.which, COMPILERS)), None)
    if found:
        return f"{found} can compile them: {AGAIN}"
    get = GET_COMPILER.get(sys.platform, "install GCC or Clang")
    return f"there is no C++ compiler: {get}; then {AGAIN}"


def _threads() -> Finding:
    import torch

    threads, cores = torch.get_num_threads(), _cores()
    # Two hardware threads of one core compute no faster than one: PyTorch leaves the second alone.
    physical = _capabilities().get("num_physical_cores", cores)
    useful = max(1, min(cores, physical))
    advice = []
    if threads > cores:
        advice.append(f"{threads} on {counted(cores, 'core')} wait for each other; set OMP_NUM_THREADS={useful}")
    elif threads < useful:
        name = "OMP_NUM_THREADS" if os.environ.get("OMP_NUM_THREADS") else "MKL_NUM_THREADS"
        how = f"unset {name}" if os.environ.get(name) else f"set OMP_NUM_THREADS={useful}"
        advice.append(f"{useful - threads} of {counted(useful, 'core')} idle while a network computes; {how}")
    found = f"{threads} of PyTorch's, on {counted(cores, 'core')} that may be used"
    return Finding(found, {"pytorch": threads, "cores": cores}, advice)


def _cores() -> int:
    """How many this process may keep busy: by affinity, and in a container by its share of time."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(cores, round(int(quota) / int(period))))
    except (OSError, ValueError):  # no container, or one without a limit ("max")
        return cores


def _pytorch() -> Finding:
    import torch

    capability = torch.backends.cpu.get_cpu_capability()
    about = {"version": str(torch.__version__), "capability": capability, "python": platform.python_version()}
    return Finding(f"{torch.__version__}, {capability}, Python {about['python']}", about)


def _bfloat16() -> Finding:
    from lenrek.optimization.ways import has_bfloat16

    if has_bfloat16():
        return Finding("in hardware", True)
    advice = "imitated, it is slower than float32; pass dtype=torch.float32 to lenrek.optimize"
    return Finding("not in hardware", False, [advice])


def _memory() -> Finding:
    from lenrek.optimization.memory import keep_memory

    if keep_memory(False):  # whether it could: here nothing is kept
        return Finding("what is freed can be kept for the next step", True)
    return Finding(
        "what is freed goes back to the system", False,
        ["every step of a training asks the system for its memory anew; only Linux's glibc can keep it"],
    )  # fmt: skip


def _engines() -> Finding:
    versions: dict[str, str | None] = {}
    advice = []
    for engine, (extra, packages) in ENGINES.items():
        absent = [package for package in packages if find_spec(package) is None]
        versions[engine] = None if absent else _version(packages[0])
        if absent:
            lacks = f" ({', '.join(absent)})" if len(packages) > 1 else ""
            advice.append(
                f"without {engine}{lacks} prediction may be slower, and it cannot be exported to; "
                f"pip install 'lenrek[{extra}]'"
            )
    found = ", ".join(f"{engine} {number}" if number else f"no {engine}" for engine, number in versions.items())
    return Finding(found, versions, advice)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # from a distribution of another name
        return "(version unknown)"


def _cache() -> Finding:
    folder = cache_folder()
    facts: dict[str, Any] = {"folder": str(folder), "writable": True}
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            return Finding(f"{folder}, writable", facts)
    except OSError as error:
        cost = "data sets are fetched, and number types measured, anew each time"
        return Finding(
            f"{folder}, not writable", facts | {"writable": False},
            [f"{there}: {error.strerror}; {cost}: set LENREK_CACHE to a folder that you may write to"],
        )  # fmt: skip


def _variables() -> Finding:
    given = {name: value for name, value in sorted(os.environ.items()) if name.startswith("LENREK_")}
    advice = []
    for name in given.keys() - VARIABLES.keys():
        near = difflib.get_close_matches(name, VARIABLES, n=1)
        meant = f"did you mean {near[0]}?" if near else f"known are {', '.join(VARIABLES)}"
        advice.append(f"{name} is unknown and has no effect; {meant}")
    found = [f"{name}={value} ({VARIABLES.get(name, 'unknown')})" for name, value in given.items()]
    return Finding(", ".join(found) or "none of lenrek's is set", given, sorted(advice))


LOOKS: dict[str, Callable[[], Finding]] = {
    "processor": _processor, "kernels": _kernels, "threads": _threads, "PyTorch": _pytorch, "bfloat16": _bfloat16,
    "memory": _memory, "engines": _engines, "cache": _cache, "variables": _variables,
}  # fmt: skip
