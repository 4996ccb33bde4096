"""Which number type and memory layout a training step is fastest with: measured on this machine, then remembered."""

from __future__ import annotations

import copy
import hashlib
import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from lenrek.data.cache import cache_folder
from lenrek.models.contract import InputContract
from lenrek.models.tensor_file import write_bytes_atomically
from lenrek.training.machine import describe_machine

# A faster choice must be this much faster than the plainer one before it: noise must not decide between equals.
REQUIRED_GAIN = 1.15
PROBE_BATCH = 64
MAX_PROBE_S = 4.0


@dataclass(frozen=True)
class Precision:
    """How a training step is run.

    Attributes:
        dtype: "fp32", or "bf16": convolutions and matrix products in bfloat16 under autocast, weights in float32.
        channels_last: activations with the channels innermost in memory.
        reason: a sentence for the log and the report.
    """

    dtype: str
    channels_last: bool
    reason: str

    def layout(self, x: torch.Tensor) -> torch.Tensor:
        """`x` in the chosen memory layout (2-D and 3-D; PyTorch has none for 1-D)."""
        formats = {4: torch.channels_last, 5: torch.channels_last_3d}
        return x.contiguous(memory_format=formats[x.ndim]) if self.channels_last and x.ndim in formats else x

    def autocast(self, device: torch.device) -> AbstractContextManager[Any]:
        return torch.autocast(device.type, torch.bfloat16) if self.dtype == "bf16" else nullcontext()


def choose_precision(
    wanted: str, network: nn.Module, contract: InputContract, batch_size: int, device: torch.device
) -> Precision:
    """The precision asked for, or with "auto" the fastest of fp32 and bf16 as measured (and remembered) here."""
    if wanted != "auto":
        return Precision(wanted, channels_last=wanted == "bf16", reason=f"{wanted}, as asked")
    remembered = cache_folder() / "precision" / f"{_fingerprint(network, contract, batch_size, device)}.json"
    if remembered.is_file():
        return Precision(**json.loads(remembered.read_text()))
    precision = _measure(network, contract, min(batch_size, PROBE_BATCH), device)
    remembered.parent.mkdir(parents=True, exist_ok=True)
    write_bytes_atomically(remembered, json.dumps(asdict(precision)).encode())
    return precision


def _measure(network: nn.Module, contract: InputContract, batch_size: int, device: torch.device) -> Precision:
    """Time one training step of a copy in each way, the ways in turn so that a drifting machine hits all alike."""
    ways = [Precision("fp32", False, ""), Precision("fp32", True, ""), Precision("bf16", True, "")]
    if len(contract.size) == 1:
        ways = [Precision("fp32", False, ""), Precision("bf16", False, "")]
    steps = [_step(copy.deepcopy(network), contract, batch_size, device, way) for way in ways]
    best = [float("inf")] * len(ways)
    start = time.perf_counter()
    for attempt in range(8):
        for number, step in enumerate(steps):
            time_s = step()
            if attempt > 0:  # the first call builds oneDNN's primitives
                best[number] = min(best[number], time_s)
        if attempt >= 2 and time.perf_counter() - start > MAX_PROBE_S:
            break
    chosen = 0
    for number in range(1, len(ways)):
        if best[number] * REQUIRED_GAIN < best[chosen]:
            chosen = number
    way, plain = ways[chosen], best[0]
    measured = ", ".join(
        f"{w.dtype}{' channels-last' if w.channels_last else ''} {plain / b:.2f}×"
        for w, b in zip(ways, best, strict=True)
    )
    return Precision(way.dtype, way.channels_last, f"{way.dtype}: speed of a training step here: {measured}")


def _step(
    network: nn.Module, contract: InputContract, batch_size: int, device: torch.device, way: Precision
) -> Callable[[], float]:
    """A closure that runs one forward and backward pass on noise and returns its seconds."""
    random = torch.Generator().manual_seed(0)
    x = way.layout(torch.randn(batch_size, contract.channels, *contract.size, generator=random).to(device))
    labels = torch.randint(len(contract.classes), (batch_size,), generator=random).to(device)
    network.train()

    def step() -> float:
        start = time.perf_counter()
        with way.autocast(device):
            logits = network(x)
        nn.functional.cross_entropy(logits.float(), labels).backward()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    return step


def _fingerprint(network: nn.Module, contract: InputContract, batch_size: int, device: torch.device) -> str:
    """What the measured speeds depend on."""
    shapes = [tuple(p.shape) for p in network.parameters()]
    parts = (repr(network), shapes, contract.size, batch_size, torch.__version__, describe_machine(device))
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
