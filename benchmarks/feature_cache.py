"""What it saves to compute frozen features once: the last layer of SqueezeNet learnt for flowers, with and without.

    python benchmarks/feature_cache.py

Without: PyTorch, tuned (bf16 autocast, channels-last, no gradients in the frozen part, photos decoded once): every
epoch runs every photo through the network. With: `lenrek.train(…, freeze="features")` on the same files, the first time
(features computed) and again (features read from the cache), decoding of the photos included; once as it comes, with
the regularisation chosen on a tenth of the photos, and once on none, by cross-validation, which solves six times as
often. 1,000 photos to train, 500 to test. The set is looked for under LENREK_DATA, weights under
LENREK_WEIGHTS. Result: results/feature_cache.md.
"""

from __future__ import annotations

import csv
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

import lenrek
from lenrek.data.load import load_samples
from lenrek.data.normalise import normalise
from lenrek.training.machine import describe_machine, versions

EPOCHS, BATCH, TRAIN, TEST = 20, 32, 1000, 500
DATA = Path(os.environ.get("LENREK_DATA", ".")) / "flowers.tar.gz"
WEIGHTS = Path(os.environ.get("LENREK_WEIGHTS", "weights")) / "squeezenet1_1-imagenet.safetensors"
START = f"squeezenet1_1:{WEIGHTS}"


def without_cache(file: Path) -> tuple[float, float]:
    """Seconds of training, and accuracy on test."""
    source = lenrek.open_source(file)
    network = lenrek.load_pretrained(START)
    samples = load_samples(source, network.contract)
    body = network.features.to(memory_format=torch.channels_last)
    head = torch.nn.Linear(512, len(source.classes))
    optimizer = torch.optim.AdamW(head.parameters(), lr=3e-3, fused=True)
    part = np.asarray(source.split)
    labels = torch.from_numpy(source.labels)

    def logits(x: torch.Tensor) -> torch.Tensor:
        x = normalise(x, network.contract).to(memory_format=torch.channels_last)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            features = body(x).mean((2, 3))
        return head(features.float())

    decoded = {b: list(samples.batches(np.flatnonzero(part == b), BATCH)) for b in ("train", "test")}
    start = time.perf_counter()
    for epoch in range(EPOCHS):
        for step in np.random.default_rng(epoch).permutation(len(decoded["train"])):
            batch = decoded["train"][step]
            loss = torch.nn.functional.cross_entropy(logits(batch.x), labels[batch.index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    time_s = time.perf_counter() - start
    with torch.no_grad():
        right = sum(int((logits(b.x).argmax(1) == labels[b.index]).sum()) for b in decoded["test"])
    return time_s, right / TEST


def with_cache(file: Path, out: Path, **options: float) -> tuple[float, float]:
    """Seconds of all but the test, and accuracy on test."""
    start = time.perf_counter()
    run = lenrek.train(file, start=START, freeze="features", out=out, **options)
    whole_s = time.perf_counter() - start
    start = time.perf_counter()
    lenrek.load(out).evaluate(file, part="test")
    return whole_s - (time.perf_counter() - start), run.evaluation.accuracy


def main() -> None:
    source = lenrek.open_source(DATA)
    chosen = np.random.default_rng(0).permutation(len(source))[: TRAIN + TEST]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["LENREK_CACHE"] = str(folder / "cache")  # empty
        with (folder / "flowers.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["path", "label", "split"])
            for place, index in enumerate(chosen.tolist()):
                path = Path(source.reader.paths[index]).absolute()  # type: ignore[attr-defined]
                table.writerow([path, source.classes[source.labels[index]], "train" if place < TRAIN else "test"])
        rows = [
            (f"PyTorch, tuned, {EPOCHS} epochs", *without_cache(folder / "flowers.csv")),
            ("lenrek, the first time", *with_cache(folder / "flowers.csv", folder / "first")),
            ("lenrek, again", *with_cache(folder / "flowers.csv", folder / "again")),
            ("lenrek, cross-validated", *with_cache(folder / "flowers.csv", folder / "cross", validation=0)),
            (
                "lenrek, cross-validated, again",
                *with_cache(folder / "flowers.csv", folder / "cross-again", validation=0),
            ),
        ]
    machine = describe_machine(torch.device("cpu"))
    stack = ", ".join(f"{name} {version}" for name, version in versions().items())
    lines = [
        "# Frozen features, computed once", "",
        f"{machine}; {stack}. {TRAIN:,} photos of flowers to train, {TEST} to test.", "",
        "| | times as fast | time | test accuracy |", "|---|---|---|---|",
        *(f"| {what} | {rows[0][1] / time_s:.1f} | {time_s:.1f} s | {right:.1%} |" for what, time_s, right in rows),
    ]  # fmt: skip
    text = "\n".join(lines) + "\n"
    print(text)
    (Path(__file__).parent / "results" / "feature_cache.md").write_text(text)


if __name__ == "__main__":
    main()
