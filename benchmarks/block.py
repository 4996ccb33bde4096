"""The fused block against the operators of PyTorch that it replaces, forward and backward.

    python benchmarks/block.py [THREADS]

Writes benchmarks/results/block.md. The three variants take turns, so that another load on the machine meets all; the
fastest turn of each counts. Once with the system's usual way with freed memory, once with it kept by the process: what
page faults cost all of them is in the first table, and not in the second.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor

from lenrek.kernels.block import norm_act_pool
from lenrek.kernels.library import active
from lenrek.kernels.pool import Pool
from lenrek.kernels.reference import norm_act_pool as in_pytorch
from lenrek.training.machine import processor_name

RESULT = Path(__file__).parent / "results" / "block.md"
ROUNDS, MAX_TIME_S = 30, 12.0
KEPT = {"MALLOC_MMAP_THRESHOLD_": str(1 << 34), "MALLOC_TRIM_THRESHOLD_": str(1 << 34)}  # read by glibc at its start


@dataclass(frozen=True)
class Case:
    name: str
    shape: tuple[int, ...]
    activation: str = "relu"
    pool: Pool | None = None
    residual: bool = False


CASES = (
    Case("norm, ReLU, max-pool 2", (256, 64, 32, 32), pool=Pool("max", (2, 2))),
    Case("norm, ReLU, max-pool 2", (256, 128, 16, 16), pool=Pool("max", (2, 2))),
    Case("norm, ReLU, max-pool 2", (16, 64, 128, 128), pool=Pool("max", (2, 2))),
    Case("norm, ReLU, max-pool 3 stride 2", (16, 64, 112, 112), pool=Pool("max", (3, 3), (2, 2), (1, 1))),
    Case("norm, ReLU, global average", (256, 512, 4, 4), pool=Pool("global_average")),
    Case("norm, ReLU", (64, 64, 56, 56)),
    Case("norm, add, ReLU", (256, 64, 32, 32), residual=True),
    Case("norm, ReLU6", (64, 144, 24, 24), activation="relu6"),
    Case("norm, GELU", (32, 96, 56, 56), activation="gelu"),
    Case("norm, ReLU, max-pool 2, 3-D", (8, 32, 32, 32, 32), pool=Pool("max", (2, 2, 2))),
)


def main() -> None:
    if not active().isa:
        sys.exit(f"There are no compiled kernels to measure: {active().reason}.")
    if sys.argv[1:2] == ["measure"]:
        print(json.dumps(measure(int(sys.argv[2]))))
        return
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else torch.get_num_threads()
    usual, kept = (
        json.loads(
            subprocess.run(
                [sys.executable, __file__, "measure", str(threads)],
                env=os.environ | setting, stdout=subprocess.PIPE, check=True,
            ).stdout
        )
        for setting in ({}, KEPT)
    )  # fmt: skip
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text("\n".join([*header(threads), *table("Memory as the system handles it", usual),
                                 *table("Freed memory kept by the process", kept)]))  # fmt: skip
    print(RESULT.read_text())


def header(threads: int) -> list[str]:
    counted = "1 thread" if threads == 1 else f"{threads} threads"
    return [
        "# The fused block",
        "",
        f"{processor_name()}, {counted}, kernels {active().isa}; Python {platform.python_version()}, "
        f"torch {version('torch')}.  ",
        f"`python benchmarks/block.py {threads}`, fastest of up to {ROUNDS} turns; {date.today()}.",
        "",
        "Training, forward and backward with the gradients of x, weight and bias. PyTorch's operators run as they come "
        "(default layout) and in channels-last; the block's layout is channels-last.",
    ]


def table(title: str, rows: list[dict[str, float]]) -> list[str]:
    lines = ["", f"## {title}", "", "| PyTorch / lenrek | channels-last / lenrek | block | x | type | lenrek, ms: "
             "forward + backward | PyTorch, ms | channels-last, ms |", "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for (case, dtype), row in zip(variants(), rows, strict=True):
        ours = row["lenrek"]
        lines.append(
            f"| **{row['default'] / ours:.1f}×** | {row['channels-last'] / ours:.1f}× | {case.name} "
            f"| {'×'.join(map(str, case.shape))} | {str(dtype)[6:]} "
            f"| {row['forward'] * 1e3:.1f} + {(ours - row['forward']) * 1e3:.1f} "
            f"| {row['default'] * 1e3:.1f} | {row['channels-last'] * 1e3:.1f} |"
        )
    return [*lines, ""]


def variants() -> list[tuple[Case, torch.dtype]]:
    return [(case, dtype) for case in CASES for dtype in (torch.float32, torch.bfloat16)]


def measure(threads: int) -> list[dict[str, float]]:
    torch.set_num_threads(threads)
    return [times(case, dtype) for case, dtype in variants()]


def times(case: Case, dtype: torch.dtype) -> dict[str, float]:
    """Seconds of forward and backward by variant, and of lenrek's forward alone."""
    torch.manual_seed(0)
    values = torch.randn(case.shape, dtype=dtype)
    dense = values.movedim(1, -1).contiguous().movedim(-1, 1)
    calls = {"default": (in_pytorch, values), "channels-last": (in_pytorch, dense), "lenrek": (norm_act_pool, dense)}
    best = dict.fromkeys([*calls, "forward"], float("inf"))
    until = time.perf_counter() + MAX_TIME_S
    for turn in range(ROUNDS):
        for name, (block, x) in calls.items():
            forward_s, both_s = once(block, x, case)
            if turn:  # the first one warms up
                best[name] = min(best[name], both_s)
            if turn and name == "lenrek":
                best["forward"] = min(best["forward"], forward_s)
        if turn > 2 and time.perf_counter() > until:
            break
    return best


def once(block: Callable[..., Tensor], x: Tensor, case: Case) -> tuple[float, float]:
    channels = x.shape[1]
    leaf = x.detach().requires_grad_()
    weight, bias = torch.ones(channels).requires_grad_(), torch.zeros(channels).requires_grad_()
    running_mean, running_var = torch.zeros(channels), torch.ones(channels)
    residual = torch.roll(x, 1, 0).requires_grad_() if case.residual else None
    start = time.perf_counter()
    y = block(
        leaf, weight, bias, running_mean, running_var, training=True, momentum=0.1, eps=1e-5,
        activation=case.activation, negative_slope=0.0, residual=residual, pool=case.pool,
    )  # fmt: skip
    between = time.perf_counter()
    dy = torch.ones_like(y)
    restart = time.perf_counter()
    inputs = [leaf, weight, bias, *([residual] if residual is not None else [])]
    torch.autograd.grad(y, inputs, dy)
    end = time.perf_counter()
    return between - start, between - start + end - restart


if __name__ == "__main__":
    main()
