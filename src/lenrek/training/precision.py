"""How a training step is run: in which number type, and whether on lenrek's kernels; measured here, then remembered."""

from __future__ import annotations

import copy
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

import torch
from torch import nn

from lenrek.data.cache import cache_folder
from lenrek.errors import CheckpointError
from lenrek.kernels import library
from lenrek.models.contract import InputContract
from lenrek.models.tensor_file import write_bytes_atomically
from lenrek.optimization.module import optimize
from lenrek.training.machine import describe_machine

# A faster choice must be this much faster than the plainer one before it: noise must not decide between equals.
REQUIRED_GAIN = 1.15
PROBE_BATCH = 64
MAX_PROBES = 7
MAX_PROBE_S = 4.0
HOPELESS = 3.0  # a way whose first step takes so much longer than the plain one's (bf16 in software) is given up
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Precision:
    """How a training step is run.

    Attributes:
        dtype: "fp32", or "bf16": convolutions and matrix products in bfloat16, weights, norms and losses in float32.
        optimized: by `lenrek.optimize`; otherwise in PyTorch as it comes, fp32 only.
        reason: a sentence for the log and the report.
    """

    dtype: str
    optimized: bool
    reason: str

    def fast(self, network: nn.Module) -> nn.Module:
        """The network to run in place of `network`, whose parameters and buffers it shares: float32 in, float32 out.

        It has training flags of its own.
        """
        return optimize(network, TYPES[self.dtype], keep_memory_mapped=False) if self.optimized else network


# From the plainest to the one that changes most.
WAYS = (Precision("fp32", False, ""), Precision("fp32", True, ""), Precision("bf16", True, ""))


def choose_precision(
    wanted: str, network: nn.Module, contract: InputContract, batch_size: int, device: torch.device
) -> Precision:
    """The precision asked for, or with "auto" the fastest of `WAYS` as measured (and remembered) here.

    Measuring leaves the network and PyTorch's random state as they are.
    """
    if wanted != "auto":
        return Precision(wanted, optimized=True, reason=f"{wanted}, as asked")
    file = cache_folder() / "precision" / f"{_fingerprint(network, contract, batch_size, device)}.json"
    if (remembered := _remembered(file)) is not None:
        return remembered
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        precision = _measure(network, contract, min(batch_size, PROBE_BATCH), device)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_bytes_atomically(file, json.dumps(asdict(precision)).encode())
    except (OSError, CheckpointError) as error:  # no reason not to train
        return replace(precision, reason=f"{precision.reason} (not remembered: {error})")
    return precision


def _remembered(file: Path) -> Precision | None:
    """What was measured before; None where nothing was, or where the file is not what we wrote: it is measured anew."""
    try:
        fields = json.loads(file.read_bytes())
        precision = Precision(fields["dtype"], fields["optimized"], str(fields["reason"]))
        return precision if replace(precision, reason="") in WAYS else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _measure(network: nn.Module, contract: InputContract, batch_size: int, device: torch.device) -> Precision:
    """Time one training step of a copy in each way, the ways in turn so that a drifting machine hits all alike."""
    steps = [_step(copy.deepcopy(network), contract, batch_size, device, way) for way in WAYS]
    start = time.perf_counter()
    best = [step() for step in steps]  # traces, and builds oneDNN's primitives: it takes some time, but no seconds
    hopeful = [number for number, time_s in enumerate(best) if time_s <= HOPELESS * max(best[0], 1.0)]
    for _ in range(MAX_PROBES):
        for number in hopeful:
            best[number] = min(best[number], steps[number]())
        if time.perf_counter() - start > MAX_PROBE_S:
            break
    chosen = 0
    for number in range(1, len(WAYS)):
        if best[number] * REQUIRED_GAIN < best[chosen]:
            chosen = number
    return replace(WAYS[chosen], reason=_why(chosen, [best[0] / time_s for time_s in best], device))


def _why(chosen: int, speeds: list[float], device: torch.device) -> str:
    """One sentence on the choice; `speeds` are those of `WAYS`, PyTorch's own as 1."""
    fast = "compiled" if device.type == "cuda" else "on lenrek's kernels" if library.available() else "channels-last"
    others = []
    for number in range(1, len(WAYS)):
        if number != chosen:
            in_vain = ", too little more to decide" if chosen and speeds[number] > speeds[chosen] else ""
            others.append(f"{WAYS[number].dtype} {fast} {_times(speeds[number])}{in_vain}")
    beside = f"({', '.join(others)})"
    if chosen == 0:
        return f"fp32 in plain PyTorch: nothing makes a training step here {REQUIRED_GAIN}× as fast {beside}"
    step = f"a training step here is {_times(speeds[chosen])} as fast as PyTorch's"
    return f"{WAYS[chosen].dtype} {fast}: {step} {beside}"


def _times(speed: float) -> str:
    return f"{speed:.1f}×" if speed >= 2 else f"{speed:.2f}×"


def _step(
    network: nn.Module, contract: InputContract, batch_size: int, device: torch.device, way: Precision
) -> Callable[[], float]:
    """A closure that runs one forward and backward pass on noise and returns its seconds."""
    random = torch.Generator().manual_seed(0)
    x = torch.randn(batch_size, contract.channels, *contract.size, generator=random).to(device)
    labels = torch.randint(len(contract.classes), (batch_size,), generator=random).to(device)
    fast = way.fast(network).train()

    def step() -> float:
        start = time.perf_counter()
        nn.functional.cross_entropy(fast(x), labels).backward()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    return step


def _fingerprint(network: nn.Module, contract: InputContract, batch_size: int, device: torch.device) -> str:
    """What the measured speeds depend on."""
    shapes = [tuple(p.shape) for p in network.parameters()]
    versions = (torch.__version__, version("lenrek"))
    parts = (repr(network), shapes, contract.size, batch_size, versions, describe_machine(device))
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
