"""Depthwise convolutions, forward and backward, against PyTorch in the better of its two memory formats.

    python benchmarks/depthwise.py

The candidates take turns, and the best of several rounds counts. Writes results/depthwise.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from lenrek.ops import correlate
from lenrek.training.machine import describe_machine

ROUNDS, SECONDS = 25, 4.0  # per row: so many rounds, or fewer where they take longer
CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
RESULT = Path(__file__).parent / "results" / "depthwise.md"


class Case(NamedTuple):
    batch: int
    channels: int
    size: tuple[int, ...]
    kernel: int
    stride: int = 1
    dilation: int = 1

    def __str__(self) -> str:
        text = f"{self.batch}×{self.channels}, {'×'.join(map(str, self.size))}, kernel {self.kernel}"
        text += f", stride {self.stride}" if self.stride > 1 else ""
        return text + (f", dilation {self.dilation}" if self.dilation > 1 else "")


CASES = [
    Case(16, 144, (56, 56), 3),
    Case(16, 144, (56, 56), 3, stride=2),
    Case(32, 384, (14, 14), 3),
    Case(16, 960, (7, 7), 3),
    Case(16, 240, (28, 28), 5),
    Case(16, 240, (28, 28), 5, stride=2),
    Case(16, 96, (56, 56), 7),
    Case(16, 384, (14, 14), 7),
    Case(4, 128, (56, 56), 31),
    Case(16, 96, (28, 28), 4),
    Case(16, 96, (56, 56), 3, dilation=2),
    Case(16, 64, (2048,), 3),
    Case(16, 64, (2048,), 7),
    Case(16, 64, (2048,), 31),
    Case(16, 64, (2048,), 3, dilation=8),
    Case(4, 64, (16, 32, 32), 3),
]


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def row(case: Case, dtype: torch.dtype) -> str:
    ndim, padding = len(case.size), case.dilation * (case.kernel - 1) // 2
    first = torch.randn(case.batch, case.channels, *case.size).to(dtype)
    last = first.movedim(1, -1).contiguous().movedim(-1, 1)  # channels-last
    weight = (torch.randn(case.channels, 1, *[case.kernel] * ndim) / case.kernel).to(dtype)
    options = (case.stride, padding, case.dilation, case.channels)
    ours = first if ndim == 1 else last  # PyTorch has no channels-last signals
    candidates: dict[str, tuple[Callable[..., Tensor], Tensor]] = {
        "lenrek": (correlate, ours),
        "PyTorch": (CONVOLUTIONS[ndim], first),
        "PyTorch, channels-last": (CONVOLUTIONS[ndim], last),
    }
    forward, backward = dict.fromkeys(candidates, float("inf")), dict.fromkeys(candidates, float("inf"))
    spent = 0.0
    for number in range(ROUNDS):
        if spent > SECONDS and number > 1:
            break
        for name, (function, x) in candidates.items():
            x, w = x.detach().requires_grad_(), weight.detach().requires_grad_()
            found: list[Tensor] = []
            there = seconds(lambda f=function, x=x, w=w, found=found: found.append(f(x, w, None, *options)))
            gradient = torch.ones_like(found[0])
            back = seconds(lambda x=x, w=w, y=found[0], g=gradient: torch.autograd.grad(y, (x, w), g))
            forward[name], backward[name] = min(forward[name], there), min(backward[name], back)
            spent += there + back
    cells = []
    for times in (forward, backward):
        best = min(times["PyTorch"], times["PyTorch, channels-last"])
        cells += [f"{best / times['lenrek']:.1f}×", f"{1e3 * times['lenrek']:.2f}"]
        cells += [f"{1e3 * times[name]:.2f}" for name in list(candidates)[1:]]
    return f"| {case}, {str(dtype).removeprefix('torch.')} | {' | '.join(cells)} |"


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(2)
    rows = []
    for case in CASES:
        for dtype in (torch.float32, torch.bfloat16):
            rows.append(row(case, dtype))
            print(rows[-1], flush=True)
    columns = "ratio | lenrek, ms | PyTorch, ms | channels-last, ms"
    lines = [
        "# Depthwise convolutions",
        "",
        f"{describe_machine(torch.device('cpu'))}, torch {torch.__version__}, best of {ROUNDS} rounds. The ratio is to "
        "PyTorch's faster memory format; lenrek is given channels-last, and signals",
        "channels-first. Forward in 2-D and 3-D, and gradients of short kernels, lenrek leaves to PyTorch.",
        "",
        f"| | forward: {columns} | backward: {columns} |",
        "|---" * 9 + "|",
        *rows,
    ]
    RESULT.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
