"""Whether `lenrek.optimize` trains to the same accuracy: whole trainings in PyTorch float32 and on lenrek's kernels.

    python benchmarks/accuracy.py [WAY …]     runs what has no result yet, and writes the table

The same command with the same seeds, batches, rates and augmentation, once as PyTorch comes and once optimised in
bfloat16; three seeds each, which draw the weights, the validation split and the order. The epoch is chosen on
validation, the test part is looked at once. Data is looked for under LENREK_DATA. Results: results/accuracy.jsonl (one
line per run), results/accuracy.md.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import lenrek
from lenrek.training import fitting
from lenrek.training.precision import Precision

SEEDS = (0, 1, 2)
DATA = Path(os.environ.get("LENREK_DATA", "."))
RESULTS = Path(__file__).parent / "results"
LOG = RESULTS / "accuracy.jsonl"
WAYS = {
    "PyTorch, float32": Precision("fp32", False, "PyTorch as it comes"),
    "lenrek, bfloat16": Precision("bf16", True, "lenrek.optimize"),
}
TASKS = {"Fashion-MNIST": "fashion-mnist", "CIFAR-10 (JPEG)": "cifar10-jpeg.tar.gz"}
OPTIONS = {"model": "resnet9_small", "epochs": 2, "augment": "shift=0.06,flip", "progress": False}


def train(task: str, way: str, seed: int) -> dict[str, object]:
    """One training in this process."""
    fitting.choose_precision = lambda *_: WAYS[way]
    data = DATA / TASKS[task] if "." in TASKS[task] else TASKS[task]
    with tempfile.TemporaryDirectory() as folder:
        run = lenrek.train(str(data), out=Path(folder) / "run", seed=seed, **OPTIONS)
        rows = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
        machine = json.loads((run.path / "config.json").read_text())["machine"]
    return {
        "task": task, "way": way, "seed": seed, "accuracy": run.evaluation.accuracy,
        "train_s": sum(row["time_s"] for row in rows), "machine": machine, "options": OPTIONS,
    }  # fmt: skip


def table(results: list[dict]) -> str:
    lines = [
        "# The same accuracy",
        "",
        f"{results[-1]['machine']}. `{OPTIONS['model']}`, {OPTIONS['epochs']} epochs, augmented by "
        f"{OPTIONS['augment']}; mean ± standard deviation of the accuracy on test, seeds {SEEDS}.",
        "Standard error: of the difference of the two means. Other programs ran meanwhile, so that no times are given.",
        "",
        "| data | " + " | ".join(WAYS) + " | difference | standard error |",
        "|---|---|---|---|---|",
    ]
    for task in TASKS:
        runs = {way: [100 * r["accuracy"] for r in results if (r["task"], r["way"]) == (task, way)] for way in WAYS}
        if min(map(len, runs.values())) < len(SEEDS):
            continue
        plain, ours = map(statistics.mean, runs.values())
        spreads = [statistics.stdev(found) for found in runs.values()]
        error = (sum(spread**2 for spread in spreads) / len(SEEDS)) ** 0.5
        both = " | ".join(f"{mean:.2f} ± {spread:.2f} %" for mean, spread in zip((plain, ours), spreads, strict=True))
        lines.append(f"| {task} | {both} | {ours - plain:+.2f} | {error:.2f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    if sys.argv[1:2] == ["train"]:
        print(json.dumps(train(sys.argv[2], sys.argv[3], int(sys.argv[4]))))
        return
    results = [json.loads(line) for line in LOG.read_text().splitlines()] if LOG.exists() else []
    done = {(r["task"], r["way"], r["seed"]) for r in results}
    for way in sys.argv[1:] or WAYS:
        for task in TASKS:
            for seed in SEEDS:
                if (task, way, seed) in done:
                    continue
                words = [sys.executable, __file__, "train", task, way, str(seed)]
                results.append(json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout))
                print(f"{task}, {way}, seed {seed}: {results[-1]['accuracy']:.2%}", flush=True)
                with LOG.open("a") as log:
                    log.write(json.dumps(results[-1]) + "\n")
    (RESULTS / "accuracy.md").write_text(table(results))


if __name__ == "__main__":
    main()
