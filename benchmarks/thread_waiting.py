"""What a second busy program does to training steps of LeNet-5, by how long OpenMP's threads spin while they wait.

    python benchmarks/thread_waiting.py

Each figure is a process of its own; the settings take turns, alone on the machine and beside a second training. Best of
several rounds alone, median beside. Writes results/thread_waiting.md.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

from lenrek.cli.cores import SHORT_SPIN
from lenrek.models.create import create_model
from lenrek.training.machine import describe_machine

ROUNDS, SECONDS, BATCH_SIZE = 3, 3.0, 128
SETTINGS: dict[str, dict[str, str]] = {
    "PyTorch as it comes": {},
    f"lenrek's commands (GOMP_SPINCOUNT={SHORT_SPIN})": {"GOMP_SPINCOUNT": SHORT_SPIN},
    "OMP_WAIT_POLICY=passive": {"OMP_WAIT_POLICY": "passive"},
}
RESULT = Path(__file__).parent / "results" / "thread_waiting.md"


def steps(seconds: float) -> float:
    """Images per second of training steps for so long."""
    network = create_model("lenet5", num_classes=10, in_channels=1)
    optimizer = torch.optim.AdamW(network.parameters(), fused=True)
    x, labels = torch.randn(BATCH_SIZE, 1, 28, 28), torch.arange(BATCH_SIZE) % 10
    start, number = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(x), labels).backward()
        optimizer.step()
        number += 1
    return number * BATCH_SIZE / (time.perf_counter() - start)


def start(setting: dict[str, str], seconds: float) -> subprocess.Popen[str]:
    clean = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "OMP_NUM_THREADS")}
    command = [sys.executable, __file__, str(seconds)]
    return subprocess.Popen(command, env=clean | setting, stdout=subprocess.PIPE, text=True)


def rate(setting: dict[str, str]) -> float:
    return float(start(setting, SECONDS).communicate()[0])


def main() -> None:
    alone: dict[str, list[float]] = {name: [] for name in SETTINGS}
    beside: dict[str, list[float]] = {name: [] for name in SETTINGS}
    for _ in range(ROUNDS):
        for name, setting in SETTINGS.items():
            alone[name].append(rate(setting))
        for name, setting in SETTINGS.items():
            other = start({}, 3600)  # another program that trains with PyTorch as it comes
            time.sleep(4)
            beside[name].append(rate(setting))
            other.kill()
            other.wait()
    plain = next(iter(SETTINGS))
    lines = [
        "# Waiting threads",
        "",
        f"{describe_machine(torch.device('cpu'))}, torch {torch.__version__}. Training steps of LeNet-5, "
        f"batch {BATCH_SIZE}, {ROUNDS} rounds: best alone, median beside a second training.",
        "",
        "| setting | alone | beside another | alone, images/s | beside, images/s |",
        "|---|---|---|---|---|",
    ]
    for name in SETTINGS:
        best, median = max(alone[name]), statistics.median(beside[name])
        ratios = f"{best / max(alone[plain]):.2f}× | {median / statistics.median(beside[plain]):.1f}×"
        lines.append(f"| {name} | {ratios} | {best:,.0f} | {median:,.0f} |")
    RESULT.write_text("\n".join(lines) + "\n")
    print(RESULT.read_text())


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(steps(float(sys.argv[1])))
    else:
        main()
