"""What a result was obtained on."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

import torch

from lenrek.data.shown import counted
from lenrek.kernels import library


def processor_name() -> str:
    """The processor's marketing name where the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def describe_machine(device: torch.device) -> str:
    """One line: processor, threads, instruction sets of PyTorch and of our kernels; and the GPU where one is used."""
    isa = library.active().isa
    kernels = f"kernels {isa}" if isa else "no compiled kernels"
    capability = torch.backends.cpu.get_cpu_capability()
    line = f"{processor_name()}, {counted(torch.get_num_threads(), 'thread')}, {capability}, {kernels}"
    return f"{torch.cuda.get_device_name(device)}; {line}" if device.type == "cuda" else line


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    packages = ("lenrek", "torch", "numpy", "scikit-learn", "pillow", "simplejpeg")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}
