"""Which number type and memory layout a training step is fastest with: measured on this machine, then remembered."""

from __future__ import annotations

import copy
import hashlib
import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lenrek.data.cache import cache_folder
from lenrek.errors import CheckpointError
from lenrek.models.contract import InputContract
from lenrek.models.tensor_file import write_bytes_atomically
from lenrek.training.machine import describe_machine

# A faster choice must be this much faster than the plainer one before it: noise must not decide between equals.
REQUIRED_GAIN = 1.15
PROBE_BATCH = 64
MAX_PROBES = 7
MAX_PROBE_S = 4.0
HOPELESS = 3.0  # a way whose first step takes so much longer than the plain one's (bf16 in software) is given up


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
        """`x` in the chosen memory layout (channels last only in 2-D and 3-D; PyTorch has none for 1-D).

        Compared by strides: `Tensor.contiguous` takes one channel for laid out in both ways, but convolutions then go
        by the strides, so that the same samples from memory and from files would round differently.
        """
        formats = {4: torch.channels_last, 5: torch.channels_last_3d} if self.channels_last else {}
        laid_out = torch.empty_like(x, memory_format=formats.get(x.ndim, torch.contiguous_format))
        return x if x.stride() == laid_out.stride() else laid_out.copy_(x)

    def autocast(self, device: torch.device) -> AbstractContextManager[Any]:
        return torch.autocast(device.type, torch.bfloat16) if self.dtype == "bf16" else nullcontext()


# How a finished network is evaluated and predicts: as its file says, whatever it was trained with and wherever it runs.
PLAIN = Precision("fp32", False, "fp32")


def choose_precision(
    wanted: str, network: nn.Module, contract: InputContract, batch_size: int, device: torch.device
) -> Precision:
    """The precision asked for, or with "auto" the fastest of fp32 and bf16 as measured (and remembered) here.

    Measuring leaves the network and PyTorch's random state as they are.
    """
    if wanted != "auto":
        return Precision(wanted, channels_last=wanted == "bf16", reason=f"{wanted}, as asked")
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
        known = fields["dtype"] in ("fp32", "bf16") and isinstance(fields["channels_last"], bool)
        return Precision(fields["dtype"], fields["channels_last"], str(fields["reason"])) if known else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _measure(network: nn.Module, contract: InputContract, batch_size: int, device: torch.device) -> Precision:
    """Time one training step of a copy in each way, the ways in turn so that a drifting machine hits all alike."""
    ways = [Precision("fp32", False, ""), Precision("fp32", True, ""), Precision("bf16", True, "")]
    if len(contract.size) == 1:
        ways = [Precision("fp32", False, ""), Precision("bf16", False, "")]
    steps = [_step(copy.deepcopy(network), contract, batch_size, device, way) for way in ways]
    start = time.perf_counter()
    best = [step() for step in steps]  # builds oneDNN's primitives, which takes some time, but no seconds
    hopeful = [number for number, time_s in enumerate(best) if time_s <= HOPELESS * max(best[0], 1.0)]
    for _ in range(MAX_PROBES):
        for number in hopeful:
            best[number] = min(best[number], steps[number]())
        if time.perf_counter() - start > MAX_PROBE_S:
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
