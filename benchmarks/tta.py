"""What test-time augmentation gains and costs: a small ResNet on CIFAR-10 (JPEG), three seeds.

    python benchmarks/tta.py FOLDER     trains the runs that are not in FOLDER yet, and writes the table

How many views, and what they do, is chosen by the mean accuracy on validation; the test part is looked at with that
choice alone, once per seed and row. The two confidences below which views are taken were fixed beforehand. Data is
looked for under LENREK_DATA. Results: results/tta.jsonl (one line per evaluation), results/tta.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
from pathlib import Path

from lenrek.training.machine import versions

SEEDS = (0, 1, 2)
DATA = Path(os.environ.get("LENREK_DATA", ".")) / "cifar10-jpeg.tar.gz"
RESULTS = Path(__file__).parent / "results"
LOG = RESULTS / "tta.jsonl"
TRAIN = f"train {DATA.name} --model resnet9_small --epochs 5 --augment shift=0.125,flip"
WAYS = (
    "--tta 2 --tta-policy flip",
    "--tta 6",
    "--tta 10",
    "--tta 6 --tta-policy shift=0.04,flip",
    "--tta 10 --tta-policy shift=0.04,flip",
)
FOR_UNSURE = ("--tta-below 0.9", "--tta-below 0.7")


def lenrek(words: str, *more: str) -> str:
    """What a command prints."""
    found = [str(DATA) if word == DATA.name else word for word in shlex.split(words)]
    return subprocess.run(
        [sys.executable, "-m", "lenrek", *found, *more], check=True, capture_output=True, text=True
    ).stdout


def evaluate(run: Path, seed: int, part: str, way: str) -> dict[str, object]:
    """With and without views, from one run of the command."""
    found = json.loads(lenrek(f"evaluate {shlex.quote(str(run))} {DATA.name} {way}", "--part", part, "--json"))
    views = found["tta"]
    return {
        "seed": seed, "part": part, "way": way, "share": views["share"], "time_factor": views["time_factor"],
        "with": {name: found[name] for name in ("accuracy", "loss", "calibration_error")},
        "without": {name: views["gain"]["without"][name] for name in ("accuracy", "loss", "calibration_error")},
    }  # fmt: skip


def gains(results: list[dict], part: str, way: str, figure: str = "accuracy", scale: float = 100) -> list[float]:
    chosen = [r for r in results if (r["part"], r["way"]) == (part, way)]
    return [scale * (r["with"][figure] - r["without"][figure]) for r in chosen]


def mean_sd(values: list[float], sign: str = "", decimals: int = 2) -> str:
    return f"{statistics.mean(values):{sign}.{decimals}f} ± {statistics.stdev(values):.{decimals}f}"


def table(results: list[dict], best: str, machine: str) -> str:
    stack = ", ".join(f"{name} {version}" for name, version in versions().items())
    lines = [
        "# Test-time augmentation",
        "",
        f"{machine}; {stack}.",
        f"CIFAR-10 (JPEG), trained by `lenrek {TRAIN} --seed N --out run-N`; mean ± standard",
        f"deviation over the seeds {SEEDS}, differences within each seed. Views are compared on the 5,000 validation",
        "images, and the best of them is then measured on the 10,000 test images. Time is that of the whole command's",
        "pass, reading files included, as a multiple of the same pass without views (median);",
        "other programs ran meanwhile, and where much is to do both run on a compiled engine.",
        "",
        "| part | `lenrek evaluate run-N DATA …` | without | with | gain, points | loss | calibration error, points "
        "| views of | time |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    rows = [("validation", way) for way in WAYS] + [
        ("test", way) for way in (best, *(f"{best} {b}" for b in FOR_UNSURE))
    ]
    for part, way in rows:
        chosen = [r for r in results if (r["part"], r["way"]) == (part, way)]
        share, times = ([r[name] for r in chosen] for name in ("share", "time_factor"))
        gain = mean_sd(gains(results, part, way), "+")
        gain = f"**{gain}**" if part == "test" else gain
        lines.append(
            f"| {part} | `{way}` | {mean_sd([100 * r['without']['accuracy'] for r in chosen])} % "
            f"| {mean_sd([100 * r['with']['accuracy'] for r in chosen])} % | {gain} "
            f"| {mean_sd(gains(results, part, way, 'loss', 1), '+', 3)} "
            f"| {mean_sd(gains(results, part, way, 'calibration_error'), '+')} "
            f"| {100 * statistics.mean(share):.0f} % | {statistics.median(times):.1f}× |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of the runs")
    folder = parser.parse_args().folder
    runs = {seed: folder / f"run-{seed}" for seed in SEEDS}
    for seed, run in runs.items():
        if not (run / "evaluation.json").exists():
            lenrek(TRAIN, "--seed", str(seed), "--out", str(run), "--quiet")
    results = [json.loads(line) for line in LOG.read_text().splitlines()] if LOG.exists() else []

    def look(part: str, way: str) -> None:
        for seed, run in runs.items():
            if not any((r["seed"], r["part"], r["way"]) == (seed, part, way) for r in results):
                results.append(evaluate(run, seed, part, way))
                print(f"{part} {way}, seed {seed}: {gains(results[-1:], part, way)[0]:+.2f} points", flush=True)
                with LOG.open("a") as log:
                    log.write(json.dumps(results[-1]) + "\n")

    for way in WAYS:
        look("validation", way)
    best = max(WAYS, key=lambda way: statistics.mean(gains(results, "validation", way)))
    for way in (best, *(f"{best} {below}" for below in FOR_UNSURE)):
        look("test", way)
    machine = json.loads((runs[0] / "config.json").read_text())["machine"]
    (RESULTS / "tta.md").write_text(table(results, best, machine))


if __name__ == "__main__":
    main()
