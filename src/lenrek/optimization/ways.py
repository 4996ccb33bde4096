"""What `measure` times: a training step and a prediction, in three ways each.

    default   PyTorch as it comes: float32, NCHW, plain SGD
    tuned     PyTorch as a skilled user sets it up: channels-last, bfloat16 autocast where the processor has it, fused
              SGD, freed memory kept
    lenrek    `optimize` with fused SGD; `compile_inference`

All are given the same network and the same samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lenrek.kernels.library import active
from lenrek.optimization.inference import compile_inference
from lenrek.optimization.memory import keep_memory
from lenrek.optimization.module import optimize

WAYS = ("default", "tuned", "lenrek")
RATE, MOMENTUM = 1e-3, 0.9  # any would do: a step takes as long whatever it learns
FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}

Call = Callable[[int], object]  # one training step, or one prediction, of so many samples


@dataclass(frozen=True)
class Workload:
    """A network, and how much it is given.

    Attributes:
        make: returns the network; another process calls it, so it is a function at the top of a file, a class, or
            `functools.partial` of one.
        shape: (channels, *size) of one sample.
        batch: samples per step.
    """

    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    batch: int


def training(workload: Workload, way: str) -> Call:
    """Forward, cross-entropy, backward, and SGD with momentum."""
    network, x = _made(workload, way)
    network.train()
    dtype = fast_dtype()
    if way == "lenrek":
        network = optimize(network, dtype)
    fused = None if way == "default" else True
    optimizer = torch.optim.SGD(network.parameters(), RATE, momentum=MOMENTUM, fused=fused)
    labels: list[Tensor] = []

    def step(samples: int) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=way == "tuned" and dtype == torch.bfloat16):
            logits = network(x[:samples])
            if not labels:  # only now it is known how many classes there are
                labels.append(torch.randint(logits.shape[1], (len(logits), *logits.shape[2:])))
            loss = nn.functional.cross_entropy(logits, labels[0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def inference(workload: Workload, way: str) -> Call:
    """A forward pass without gradients."""
    network, x = _made(workload, way)
    network.eval()
    dtype = fast_dtype()
    if way == "lenrek":
        compiled = compile_inference(network, workload.shape, dtype=dtype)
        return lambda samples: compiled(x[:samples])

    @torch.inference_mode()
    def call(samples: int) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=way == "tuned" and dtype == torch.bfloat16):
            return network(x[:samples]).float()

    return call


def fast_dtype() -> torch.dtype:
    """What a skilled user computes in here: bfloat16, but not where the processor would have to imitate it."""
    return torch.bfloat16 if has_bfloat16() else torch.float32


def has_bfloat16() -> bool:
    """Whether the processor multiplies in bfloat16 by itself, by AVX-512 BF16, AMX or ARM's BF16.

    >>> has_bfloat16() in (True, False)
    True
    """
    told: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # older versions of PyTorch do not tell
    return "avx512_bf16" in active().isas or any("bf16" in name and has is True for name, has in told.items())


def _made(workload: Workload, way: str) -> tuple[nn.Module, Tensor]:
    """The network and its samples, the same for every way but for their layout."""
    torch.manual_seed(0)
    network, x = workload.make(), torch.randn(workload.batch, *workload.shape)
    if way == "tuned":
        keep_memory()
        if x.ndim in FORMATS:
            network = network.to(memory_format=FORMATS[x.ndim])  # type: ignore[call-overload]
            x = x.contiguous(memory_format=FORMATS[x.ndim])
    return network, x
