"""How good the main job is, task by task: the README's table.

    python benchmarks/main_job.py [TASK …]     runs what has no result yet, three seeds each, and writes the table

Each row is the command anyone can type; every seed draws its own validation split (and test split, where the data has
none), weights and order. The epoch is chosen on validation, the test part is looked at once, at the end. Beside it a
baseline: logistic regression on the same samples, standardised, on the same splits, its penalty chosen on validation.
Data is looked for under LENREK_DATA. Results: results/main_job.jsonl (one line per run), results/main_job.md.
"""

from __future__ import annotations

import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from lenrek.data.load import load_samples
from lenrek.data.open import open_source
from lenrek.data.split import split_source
from lenrek.models import create  # noqa: F401 (registers the architectures)
from lenrek.models.registry import find_architecture
from lenrek.training.config import TrainConfig
from lenrek.training.plan import plan_contract

SEEDS = (0, 1, 2)
DATA = Path(os.environ.get("LENREK_DATA", "."))
RESULTS = Path(__file__).parent / "results"
LOG = RESULTS / "main_job.jsonl"

# task: (what it is, the command's words after `lenrek train`)
TASKS = {
    "mnist": ("handwritten digits, 28×28", "mnist --model lenet5 --epochs 10"),
    "fashion-mnist": (
        "clothes, 28×28",
        "fashion-mnist --model resnet9_small --epochs 12 --augment shift=0.04,flip",
    ),
    "spoken-digits": (
        "spoken digits, 1-D, random takes",
        "spoken-digits.tar.gz --model m5 --epochs 30 --batch-size 64 --augment shift=0.1 --not-grouped",
    ),
    "spoken-digits, new speakers": (
        "spoken digits, 1-D, held-out speakers",
        "spoken-digits.tar.gz --model m5 --epochs 30 --batch-size 64 --augment shift=0.1 --grouped "
        "--validation 0.17 --test 0.17",
    ),
    "voxels": (
        "chair or monitor, 3-D, 32×32×32",
        "modelnet-voxels.npz --model lenet5 --epochs 15 --batch-size 32 --augment shift=0.07",
    ),
    "flowers": (
        "photos of flowers, from scratch, streamed",
        "flowers.tar.gz --model resnet9_small --size 96 --epochs 30 --batch-size 64 --augment shift=0.1,flip "
        "--loading stream",
    ),
}


def command(task: str, seed: int) -> list[str]:
    return ["lenrek", "train", *shlex.split(TASKS[task][1]), "--seed", str(seed)]


def run(task: str, seed: int) -> dict[str, object]:
    """One training as the user would start it; accuracy on test and wall-clock seconds, start-up included."""
    words = command(task, seed)
    words[2] = str(DATA / words[2]) if "." in words[2] else words[2]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        done = subprocess.run(
            [sys.executable, "-m", *words, "--out", str(out), "--json", "--quiet"],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        test = json.loads(done.stdout)["test"]
        epochs = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        config = json.loads((out / "config.json").read_text())
    train_s = sum(row["time_s"] for row in epochs)
    return {
        "task": task, "seed": seed, "accuracy": test["accuracy"], "num_samples": test["num_samples"],
        "train_s": train_s, "machine": config["machine"], "versions": config["versions"],
        "command": shlex.join(command(task, seed)), "baseline": baseline(task, seed),
    }  # fmt: skip


def baseline(task: str, seed: int) -> float:
    """Test accuracy of logistic regression on the samples as the network gets them, same split."""
    from sklearn.linear_model import LogisticRegression

    words = shlex.split(TASKS[task][1])
    options = dict(pairwise(words[1:]))
    data = str(DATA / words[0]) if "." in words[0] else words[0]
    size = (int(options["--size"]),) if "--size" in options else None
    grouped = True if "--grouped" in words else None
    share = {name: float(options.get(f"--{name}", 0.1)) for name in ("validation", "test")}
    config = TrainConfig(data, options["--model"], size=size)
    source = open_source(data)
    split = split_source(source, seed=seed, grouped=grouped, **share)
    contract, _ = plan_contract(source, config, find_architecture(config.model))
    samples = load_samples(source, contract)

    def part(indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        batches = list(samples.batches(indices, 512))
        x = torch.cat([b.x.float().flatten(1) for b in batches]).numpy()
        return x, np.concatenate([b.labels.numpy() for b in batches])

    x, y = part(split.train)
    mean, std = x.mean(), x.std()
    models = [
        LogisticRegression(max_iter=100, C=penalty).fit((x - mean) / std, y)
        for penalty in (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
    ]
    x, y = part(split.validation)
    best = max(models, key=lambda model: model.score((x - mean) / std, y))
    x, y = part(split.test)
    return float(best.score((x - mean) / std, y))


def table(results: list[dict]) -> str:
    """The Markdown page of all results so far."""
    head = results[-1]
    stack = ", ".join(f"{name} {version}" for name, version in head["versions"].items())
    lines = [
        "# The main job",
        "",
        f"{head['machine']}; {stack}. Mean ± standard deviation over the seeds; time is that of the training alone.",
        "",
        "| task | accuracy on test | logistic regression | time | command (`--seed` 0, 1, 2) |",
        "|---|---|---|---|---|",
    ]
    for task, (what, words) in TASKS.items():
        runs = [r for r in results if r["task"] == task]
        if runs:
            accuracy, plain = mean_sd([r["accuracy"] for r in runs]), mean_sd([r["baseline"] for r in runs])
            minutes = statistics.mean(r["train_s"] for r in runs) / 60
            lines.append(
                f"| {what} ({runs[0]['num_samples']:,} test samples) | **{accuracy}** (n = {len(runs)}) | {plain} | "
                f"{minutes:.1f} min | `lenrek train {words}` |"
            )
    return "\n".join(lines) + "\n"


def mean_sd(shares: list[float]) -> str:
    percents = [100 * share for share in shares]
    spread = statistics.stdev(percents) if len(percents) > 1 else 0.0
    return f"{statistics.mean(percents):.2f} ± {spread:.2f} %"


def main() -> None:
    wanted = sys.argv[1:] or list(TASKS)
    results = [json.loads(line) for line in LOG.read_text().splitlines()] if LOG.exists() else []
    for task in wanted:
        for seed in SEEDS:
            if any((r["task"], r["seed"]) == (task, seed) for r in results):
                continue
            result = run(task, seed)
            print(f"{task}, seed {seed}: {result['accuracy']:.2%} in {result['train_s']:.0f} s", flush=True)
            results.append(result)
            RESULTS.mkdir(exist_ok=True)
            with LOG.open("a") as log:
                log.write(json.dumps(result) + "\n")
    (RESULTS / "main_job.md").write_text(table(results))


if __name__ == "__main__":
    main()
