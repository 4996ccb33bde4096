"""What each choice of an embedding brings to a search, by the commands, with no labels used but to count.

    python benchmarks/search_quality.py

Reads flowers.tar.gz under LENREK_DATA and SqueezeNet 1.1 under LENREK_WEIGHTS, makes a store for each row with
`lenrek index`, asks `lenrek search-eval`, and writes benchmarks/results/search_quality.md. Every photo asks for the
others of its class. These figures do not depend on the machine beyond the third decimal.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("LENREK_DATA", ROOT.parent / "shared" / "data"))
WEIGHTS = Path(os.environ.get("LENREK_WEIGHTS", ROOT.parent / "shared" / "weights"))
RESULT = ROOT / "benchmarks" / "results" / "search_quality.md"
LENREK = [sys.executable, "-m", "lenrek"]
# Options of `lenrek index`, and by how many of its nearest a query is expanded.
ROWS = (
    ("", 0),
    ("", 3),
    ("--size 352 --scales 1,0.645", 0),
    ("--size 352 --scales 1,0.645", 5),
    ("--size 352 --scales 1,0.645 --flip", 0),
    ("--size 352 --scales 1,0.645 --flip", 5),
    ("--pooling average --pca 0", 0),
    ("--pca 0", 0),
    ("--size 288 --flip", 0),
    ("--size 288 --flip", 3),
    ("--whiten 0.5", 0),
    ("--storage int8", 0),
    ("--pooling max --pca 0", 0),
    ("--pooling rmac --pca 0", 0),
)


def main() -> None:
    rows, baselines = [], {}
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(DATA / "flowers.tar.gz") as archive:
            archive.extractall(folder, filter="data")
        for options, expand in ROWS:
            store = Path(folder, f"store {options}")
            if not store.exists():
                model = f"squeezenet1_1:{WEIGHTS / 'squeezenet1_1-imagenet.safetensors'}"
                run("index", Path(folder, "flowers"), "--model", model, "--out", store, *options.split())
            found = run("search-eval", store, *(["--expand", expand] if expand else []))["rows"]
            rows.append((options or "(the defaults)", expand, found[1 if expand else 0]))
            baselines = {row["name"]: row for row in found if "pixels" in row["name"] or row["name"] == "chance"}
            write(rows, baselines)
    print(RESULT.read_text())


def write(rows: list[tuple[str, int, dict]], baselines: dict[str, dict]) -> None:
    lines = [f"| `{options}`{f', `--expand {expand}`' if expand else ''} {cells(row)}" for options, expand, row in rows]
    lines += [f"| {name} {cells(row)}" for name, row in baselines.items()]
    columns = "| `lenrek index` … | mAP | P@1 | P@10 | 5-NN accuracy |\n|---|---|---|---|---|"
    RESULT.write_text("\n".join([*header(), columns, *lines, ""]))


def run(*command: object) -> dict:
    """What a command prints with --json."""
    done = subprocess.run([*LENREK, *map(str, command), "--json"], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def cells(row: dict) -> str:
    quality = (row["mean_average_precision"], row["precision"]["1"], row["precision"]["10"], row["knn_accuracy"])
    return "".join(f"| {value:.3f} " for value in quality) + "|"


def header() -> list[str]:
    return [
        "# Quality of image search",
        "",
        f"3,670 flower photos of 5 classes, SqueezeNet 1.1 of ImageNet; torch {version('torch')}.  ",
        f"`python benchmarks/search_quality.py`; {time.strftime('%Y-%m-%d')}. Goals: mAP 0.53 and P@10 0.82. Defaults: "
        "`--pooling gem --power 2 --pca 128`, 227 px, float16.",
        "",
    ]


if __name__ == "__main__":
    main()
