"""What helps where samples are few or classes unequal: the tables of the guide's page on small data.

    python benchmarks/small_data.py [NAME …]       runs what has no result yet, three seeds each, and writes the tables
    python benchmarks/small_data.py --data FOLDER [NAME …]     writes only the data files, for commands typed by hand

Each row of a table is one command of `lenrek train` on a file that this script makes from a published set: for every
seed another part of its training part, always the whole of its test part. Epochs are chosen on validation, the test
part is looked at once per run, at the end. Sets are looked for under LENREK_DATA. Results: results/small_data.jsonl
(one line per run) and results/small_data.md.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from lenrek.data.open import open_source
from lenrek.data.source import Source

SEEDS = (0, 1, 2)
RESULTS = Path(__file__).parent / "results"
LOG = RESULTS / "small_data.jsonl"
DATA = Path(os.environ["LENREK_DATA"]) if "LENREK_DATA" in os.environ else None
WEIGHTS = Path(os.environ.get("LENREK_WEIGHTS", "weights"))


@dataclass(frozen=True)
class Experiment:
    """One table.

    Attributes:
        what: its heading.
        about: what the data is, in a sentence.
        file: what the data file is called.
        write: writes the data file of a seed.
        figure: of the test part, as `lenrek train --json` names it.
        common: words of every row's command.
        rows: per row its name and the words that are its own; the others are compared with the first.
        weights: file of the folder LENREK_WEIGHTS that the commands name.
        looks: of rows whose test samples are looked at in several views: what `lenrek evaluate` is told, in a second
            command.
    """

    what: str
    about: str
    file: str
    write: Callable[[Path, int], None]
    figure: str
    common: str
    rows: dict[str, str]
    weights: str = ""
    looks: dict[str, str] = field(default_factory=dict)

    def commands(self, row: str, seed: int | str) -> list[list[str]]:
        words = shlex.split(f"{self.common} {self.rows[row]}")
        train = ["lenrek", "train", self.file, *words, "--seed", str(seed), "--out", "run"]
        look = self.looks.get(row)
        return [train] + ([["lenrek", "evaluate", "run", self.file, *shlex.split(look)]] if look else [])

    def shown(self, row: str, seed: int | str) -> str:
        """The commands as they are typed."""
        return " && ".join(map(shlex.join, self.commands(row, seed)))


def write_few_clothes(path: Path, seed: int) -> None:
    """Fashion-MNIST with 50 samples of each class to train and 50 to validate, out of its training part."""
    source = open_source("fashion-mnist")
    random = np.random.default_rng(seed)
    drawn = [
        random.permutation(np.flatnonzero((source.labels == label) & (source.split == "train")))[:100]
        for label in range(len(source.classes))
    ]
    parts = {
        "train": np.concatenate([some[:50] for some in drawn]),
        "validation": np.concatenate([some[50:] for some in drawn]),
        "test": np.flatnonzero(source.split == "test"),
    }
    x = source.reader.x  # type: ignore[attr-defined]
    arrays = {f"x_{part}": x[index] for part, index in parts.items()}
    arrays |= {f"y_{part}": source.labels[index] for part, index in parts.items()}
    np.savez(path, classes=np.array(source.classes), **arrays)


def write_long_tail(path: Path, seed: int) -> None:
    """CIFAR-10 with 5,000 · 100^(−i/9) training samples of its i-th class, from 5,000 to 50.

    Source: Cui et al. 2019, arXiv:1901.05555, §5.1.
    """
    source = open_source("cifar10")
    part = np.asarray(source.split)
    random = np.random.default_rng(seed)
    chosen = [np.flatnonzero(part == "test")]
    for label in range(10):
        members = np.flatnonzero((source.labels == label) & (part == "train"))
        chosen.append(np.sort(random.permutation(members)[: round(5000 * 100 ** (-label / 9))]))
    write_table(path, source, part, np.concatenate(chosen))


def write_flowers(path: Path, seed: int, chosen: Callable[[np.ndarray, np.random.Generator], np.ndarray]) -> None:
    """Flowers, of which `chosen` (labels, generator) are to train and all others to test."""
    source = open_source("flowers.tar.gz" if DATA is None else DATA / "flowers.tar.gz")
    train = chosen(source.labels, np.random.default_rng((seed, 5)))
    part = np.full(len(source), "test", object)
    part[train] = "train"
    write_table(path, source, part, np.arange(len(source)))


def write_table(path: Path, source: Source, part: np.ndarray, chosen: np.ndarray) -> None:
    """The `chosen` files of a source with their labels, and which `part` each is in."""
    files = source.reader.paths  # type: ignore[attr-defined]
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "label", "split"])
        for index in chosen.tolist():
            table.writerow([Path(files[index]).absolute(), source.classes[source.labels[index]], part[index]])


def write_few_flowers(path: Path, seed: int) -> None:
    """20 of each class to train."""

    def chosen(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
        return np.concatenate([random.permutation(np.flatnonzero(labels == c))[:20] for c in np.unique(labels)])

    write_flowers(path, seed, chosen)


def write_most_flowers(path: Path, seed: int) -> None:
    """80 % to train."""
    write_flowers(path, seed, lambda labels, random: random.permutation(len(labels))[: round(0.8 * len(labels))])


FLOWERS = "squeezenet1_1-imagenet.safetensors"
FEW = "--size 416 --fit stretch --augment flip,crop=0.4"
MOST = "--size 288 --fit stretch --augment flip,crop=0.4"
EXPERIMENTS = {
    "few-flowers": Experiment(
        what="Few samples: 20 photos of each of five flowers",
        about="100 photos to train, the other 3,570 to test; SqueezeNet 1.1 with weights trained on ImageNet. Size, fit"
        " and policy by the loss in cross-validation of frozen features, on the training photos of all seeds: 0.68 at "
        "288, 0.63 at 352, 0.61 at 416 as they are; 0.65, 0.61 and 0.59 with the policy; 0.83 at 227, cut out, seed 0. "
        "Six views of mirrors and crops gained 1.9 points in cross-validation; the test photos do not confirm it.",
        file="few-flowers.csv",
        write=write_few_flowers,
        figure="accuracy",
        common="--validation 0",
        weights=FLOWERS,
        rows={
            "from scratch": "--model squeezenet1_1 --size 128 --epochs 60 --batch-size 16 --augment standard",
            "frozen": f"--from squeezenet1_1:{FLOWERS} --freeze features {FEW}",
            "frozen, 8 views": f"--from squeezenet1_1:{FLOWERS} --freeze features {FEW}",
            "fine-tuned": f"--from squeezenet1_1:{FLOWERS} --epochs 20 --batch-size 16 {FEW}",
        },
        looks={"frozen, 8 views": "--tta 8 --tta-below 0.9"},
    ),
    "most-flowers": Experiment(
        what="80 % of the flowers",
        about="2,936 photos to train, the other 734 to test; SqueezeNet 1.1 with weights trained on ImageNet.",
        file="most-flowers.csv",
        write=write_most_flowers,
        figure="accuracy",
        common="--validation 0",
        weights=FLOWERS,
        rows={
            "from scratch": "--model squeezenet1_1 --size 128 --epochs 12 --batch-size 32 --augment standard",
            "frozen": f"--from squeezenet1_1:{FLOWERS} --freeze features {MOST}",
            "fine-tuned": f"--from squeezenet1_1:{FLOWERS} --epochs 6 --batch-size 32 {MOST}",
        },
    ),
    "few-clothes": Experiment(
        what="Few samples: Fashion-MNIST with 50 training images of each class",
        about="500 images to train, 500 to validate, the 10,000 test images of the set; accuracy on test. Epochs by "
        "validation of seed 0: 83.0 % after 100 and 81.8 % after 200 as they are; with augmentation and mixup 86.0, "
        "86.6 and 87.0 % after 100, 200 and 300. Of alpha = 1, erasing and CutMix beside them the last was best: 86.4, "
        "86.2 and 88.0 %; on 6,000 other images of the training part 84.1 % for alpha = 1 and 84.9 % with CutMix, "
        "84.3 % without.",
        file="few-clothes.npz",
        write=write_few_clothes,
        figure="accuracy",
        common="--model resnet9_small --batch-size 32",
        rows={
            "none": "--epochs 100",
            "augmentation and mixup": "--epochs 300 --augment light,flip --mixup 0.4",
            "augmentation, mixup and CutMix": "--epochs 300 --augment light,flip --mixup 0.4 --cutmix 1",
        },
    ),
    "long-tail": Experiment(
        what="Unequal classes: CIFAR-10 (JPEG) at 100 : 1",
        about="12,406 images, from 5,000 of the first class to 50 of the last, a tenth of them to validate; the 10,000 "
        "test images of the set, 1,000 of each class; balanced accuracy on test.",
        file="long-tail.csv",
        write=write_long_tail,
        figure="balanced_accuracy",
        common="--model resnet9_small --augment standard",
        rows={
            "none": "--epochs 10",
            "loss": "--epochs 10 --balance loss",
            "sampling": "--epochs 10 --balance sampling",
            "synthesis": "--epochs 3 --balance synthesis",
        },
    ),
}


def run(name: str, row: str, seed: int) -> dict[str, object]:
    """One training as the user would start it: figures of its end, and the seconds of its epochs."""
    experiment = EXPERIMENTS[name]
    busy = psutil.cpu_percent(interval=3) > 10  # others compute: the time will say nothing
    with tempfile.TemporaryDirectory() as folder:
        experiment.write(Path(folder) / experiment.file, seed)
        if experiment.weights:
            (Path(folder) / experiment.weights).symlink_to((WEIGHTS / experiment.weights).absolute())
        out, start = Path(folder) / "run", time.perf_counter()
        for words in experiment.commands(row, seed):
            told = subprocess.run(
                [sys.executable, "-m", *words, "--json"], check=True, stdout=subprocess.PIPE, cwd=folder
            ).stdout
        wall_s = time.perf_counter() - start
        found = json.loads((out / "evaluation.json").read_text())
        if row in experiment.looks:
            found["test"] = json.loads(told)
        epochs = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        config = json.loads((out / "config.json").read_text())
    best = max(one["epoch"] for one in epochs if one["best"])
    return {
        "experiment": name, "row": row, "seed": seed, "command": experiment.shown(row, seed),
        "test": found["test"][experiment.figure], "validation": found.get("validation", {}).get(experiment.figure),
        "wall_s": wall_s, "busy": busy,
        "train_s": sum(one["time_s"] for one in epochs), "best_epoch": best,
        "machine": config["machine"], "versions": config["versions"],
    }  # fmt: skip


def tables(results: list[dict]) -> str:
    """The Markdown page of all results so far."""
    head = next(r for r in reversed(results) if not r.get("busy"))  # as the times were measured
    stack = ", ".join(f"{name} {version}" for name, version in head["versions"].items())
    lines = [
        "# Small data",
        "",
        f"{head['machine']}; {stack}. Mean ± standard deviation over the seeds, which draw the training samples, too;",
        "time is that of the whole command, reading and testing included, where the machine had nothing else to do.",
        "`python benchmarks/small_data.py --data .` writes the data files, each seed's into a folder of its own.",
    ]
    for name, experiment in EXPERIMENTS.items():
        found = {row: [r for r in results if (r["experiment"], r["row"]) == (name, row)] for row in experiment.rows}
        if not any(found.values()):
            continue
        lines += [
            "", f"## {experiment.what}", "", experiment.about, "",
            "| | test | against the first row | time | command |", "|---|---|---|---|---|",
        ]  # fmt: skip
        first = {r["seed"]: r["test"] for r in next(iter(found.values()))}
        for row, runs in found.items():
            if not runs:
                continue
            gains = [100 * (r["test"] - first[r["seed"]]) for r in runs if r["seed"] in first]
            gain = "" if row == next(iter(found)) or not gains else f"{mean_sd(gains, '+')} points"
            timed = [r["wall_s"] / 60 for r in runs if not r.get("busy")]
            minutes = f"{statistics.mean(timed):.1f} min" if timed else "–"
            command = experiment.shown(row, "N")
            lines.append(
                f"| {row} | **{mean_sd([100 * r['test'] for r in runs])} %** (n = {len(runs)}) | {gain} | "
                f"{minutes} | `{command}` |"
            )
    return "\n".join(lines) + "\n"


def mean_sd(values: list[float], sign: str = "") -> str:
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):{sign}.2f} ± {spread:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(EXPERIMENTS))
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="write only the data files, in FOLDER/seed-N")
    options = parser.parse_args()
    if unknown := set(options.names) - set(EXPERIMENTS):
        parser.error(f"{', '.join(sorted(unknown))}: the experiments are {', '.join(EXPERIMENTS)}")
    results = [json.loads(line) for line in LOG.read_text().splitlines()] if LOG.exists() else []
    for name in options.names or EXPERIMENTS:
        for seed in SEEDS:
            if options.data is not None:
                folder = options.data / f"seed-{seed}"
                folder.mkdir(parents=True, exist_ok=True)
                EXPERIMENTS[name].write(folder / EXPERIMENTS[name].file, seed)
                continue
            for row in EXPERIMENTS[name].rows:
                command = EXPERIMENTS[name].shown(row, seed)
                if any(r["command"] == command and (r["experiment"], r["row"]) == (name, row) for r in results):
                    continue
                result = run(name, row, seed)
                print(f"{name}, {row}, seed {seed}: {result['test']:.2%} in {result['train_s']:.0f} s", flush=True)
                results.append(result)
                RESULTS.mkdir(exist_ok=True)
                with LOG.open("a") as log:
                    log.write(json.dumps(result) + "\n")
    if options.data is None:
        (RESULTS / "small_data.md").write_text(tables(results))


if __name__ == "__main__":
    main()
