"""Augmentation: images per second against Albumentations and kornia, and its share of a training step.

    python benchmarks/augmentation.py [--rounds 7]

The peers are taken where they are installed (albumentations with opencv-python-headless; kornia). All of them, and
the training step, run on one thread and in turns, and the medians of the turns are compared: Albumentations changes
images one by one and is spread over cores by processes, so that one core each is the comparison that favours it most.
The policy is `standard`: shift, rotation, scale, mirror, brightness, contrast, saturation and hue; the peers do the
same by the same amounts. Committed: benchmarks/results/augmentation.md.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from lenrek.data.augmentation import Policy
from lenrek.models.create import create_model
from lenrek.training.machine import describe_machine

SIZES = {32: 256, 96: 64, 224: 32}  # side: batch
STEP_BATCH = 64
POLICY = "standard"
RESULTS = Path(__file__).parent / "results" / "augmentation.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    lines = [
        "# Augmentation",
        "",
        f"{describe_machine(torch.device('cpu'))}. Policy `{POLICY}`, uint8 RGB images; medians of {rounds} turns. "
        "Made by `python benchmarks/augmentation.py`.",
        "",
        "| image | lenrek, µs per image | against Albumentations | against kornia |",
        "|---|---|---|---|",
    ]
    for side, batch in SIZES.items():
        x = torch.randint(0, 256, (batch, 3, side, side), dtype=torch.uint8)
        ways = {"lenrek": ours(x), **peers(x)}
        times = medians(ways, rounds)
        cells = [
            f"{times[peer] / times['lenrek']:.1f}× ({1e6 * times[peer] / batch:,.0f} µs)" if peer in times else "–"
            for peer in ("Albumentations", "kornia")
        ]
        lines.append(f"| {side}×{side} | {1e6 * times['lenrek'] / batch:,.1f} | {cells[0]} | {cells[1]} |")
        print(lines[-1], flush=True)
    x = torch.randint(0, 256, (STEP_BATCH, 3, 32, 32), dtype=torch.uint8)
    times = medians({"lenrek": ours(x), "step": training_step(x)}, min(rounds, 5))
    lines += [
        "",
        f"Share of a training step (ResNet-18, 32×32, batch {STEP_BATCH}, PyTorch, float32): "
        f"{times['lenrek'] / times['step']:.2%} ({1e3 * times['lenrek']:.1f} of {1e3 * times['step']:,.0f} ms).",
    ]
    print(lines[-1])
    RESULTS.write_text("\n".join(lines) + "\n")


def ours(x: torch.Tensor) -> Callable[[], None]:
    policy, index = Policy.parse(POLICY), np.arange(len(x))
    epochs = iter(range(10**9))
    return lambda: (policy.apply(x, index, 0, next(epochs)), None)[1]


def peers(x: torch.Tensor) -> dict[str, Callable[[], None]]:
    """The same by others, where they are installed."""
    found: dict[str, Callable[[], None]] = {}
    try:
        import albumentations as A
        import cv2
    except ImportError:
        pass
    else:
        cv2.setNumThreads(1)
        transform = A.Compose([
            A.Affine(scale=(1 / 1.12, 1.12), rotate=(-12, 12), translate_percent=(-0.08, 0.08),
                     border_mode=cv2.BORDER_REPLICATE, p=1),
            A.HorizontalFlip(p=0.5),
            A.ColorJitter(brightness=(0.8, 1.2), contrast=(0.8, 1.2), saturation=(0.8, 1.2), hue=(-0.02, 0.02), p=1),
        ])  # fmt: skip
        images = [np.ascontiguousarray(image) for image in x.permute(0, 2, 3, 1).numpy()]
        found["Albumentations"] = lambda: [transform(image=image) for image in images] and None
    try:
        import kornia.augmentation as K
    except ImportError:
        pass
    else:
        sequence = K.AugmentationSequential(
            K.RandomAffine(12, translate=(0.08, 0.08), scale=(1 / 1.12, 1.12), padding_mode="border", p=1.0),
            K.RandomHorizontalFlip(p=0.5),
            K.ColorJitter(0.2, 0.2, 0.2, 0.02, p=1.0),
        )
        found["kornia"] = lambda: (sequence(x.float() / 255), None)[1]
    return found


def training_step(x: torch.Tensor) -> Callable[[], None]:
    network = create_model("resnet18_cifar", num_classes=10, in_channels=3)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    labels = torch.arange(len(x)) % 10

    def run() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(x.float() / 255), labels).backward()
        optimizer.step()

    return run


def medians(ways: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Seconds of each, measured in turns after one turn to warm up."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, run in ways.items():
            start = time.perf_counter()
            run()
            if turn:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


if __name__ == "__main__":
    main()
