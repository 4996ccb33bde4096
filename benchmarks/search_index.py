"""From files to a searchable store: at what share of what reading or the network alone takes, and how much memory.

    python benchmarks/search_index.py

Reads flowers.tar.gz and cifar10-jpeg.tar.gz under LENREK_DATA, SqueezeNet 1.1 and ResNet-20 under LENREK_WEIGHTS; for
the second part the store of a million rows that benchmarks/search_speed.py makes (12 GB). Quantities of one ratio are
measured in turns; the median counts. Writes benchmarks/results/search_index.md.
"""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from search_quality import DATA, LENREK, ROOT, WEIGHTS
from search_speed import FOLDER, MILLION, cpu, lenrek_store, make_vectors

import lenrek
from lenrek.data.open import open_source
from lenrek.data.stream import StreamedSamples, available_cores
from lenrek.models.pretrained import load_pretrained
from lenrek.search.embedding import Embedder, EmbeddingConfig

RESULT = ROOT / "benchmarks" / "results" / "search_index.md"
ROUNDS, ADDED = 3, 1_000
JOBS = (
    ("cifar10-jpeg", "resnet20", "resnet20-cifar10"),
    ("flowers", "squeezenet1_1", "squeezenet1_1-imagenet"),
)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, *_ in JOBS:
        if not (FOLDER / name).exists():
            shutil.unpack_archive(DATA / f"{name}.tar.gz", FOLDER, filter="data")
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "lancedb", "simplejpeg", "openvino"))
    lines = [
        "# From files to a store",
        "",
        f"{cpu()}, {available_cores()} cores; Python {platform.python_version()}, {versions}.  ",
        f"`python benchmarks/search_index.py`, {ROUNDS} rounds, medians; {time.strftime('%Y-%m-%d')}.",
        "",
        "## `lenrek index` against the slower of reading and the network (at least 80 %)",
        "",
        "| share | files, network | index, images/s | index once it runs | network alone | reading alone |",
        "|---|---|---|---|---|---|",
        *(rate_row(*job) for job in JOBS),
    ]
    RESULT.write_text("\n".join([*lines, ""]))
    lines += [
        "",
        f"## {ADDED:,} files more (SqueezeNet at 64 px)",
        "",
        "| time / time with few | rows before | seconds |",
        "|---|---|---|",
        *added_rows(),
        "",
        "## Peak memory (at most 1,500 MB)",
        "",
        "| MB | command |",
        "|---|---|",
        *memory_rows(),
    ]
    RESULT.write_text("\n".join([*lines, ""]))
    print(RESULT.read_text())


def rate_row(name: str, architecture: str, file: str) -> str:
    """`index` is all of `lenrek.index`, with the choice of an engine and the fitting of the projection; `once it runs`
    what it reports of itself after these."""
    model = f"{architecture}:{WEIGHTS / file}.safetensors"
    network: Any = load_pretrained(model)
    source = open_source(FOLDER / name)
    embedder = Embedder(network, network.contract, EmbeddingConfig())
    embedder.expect(len(source))
    samples = StreamedSamples(source, embedder.contract)
    order = samples.index
    held = torch.from_numpy(np.stack([source.reader.read(i, embedder.contract) for i in order[:2_048].tolist()]))
    times: dict[str, list[float]] = {"index": [], "runs": [], "network": [], "reading": []}
    for turn in range(ROUNDS):
        start = time.perf_counter()
        for first in range(0, len(order), len(held)):
            for part in held[: len(order) - first].split(embedder.batch_size):
                embedder(part)
        times["network"].append(time.perf_counter() - start)
        start = time.perf_counter()
        with ThreadPoolExecutor(available_cores()) as pool:
            shares = np.array_split(order, available_cores())
            list(pool.map(lambda share: [source.reader.read(i, embedder.contract) for i in share.tolist()], shares))
        times["reading"].append(time.perf_counter() - start)
        said: list[str] = []
        start = time.perf_counter()
        lenrek.index(FOLDER / name, model=model, out=FOLDER / f"{name}-{turn}.store", say=said.append)
        times["index"].append(time.perf_counter() - start)
        rates = [float(one.split()[-3].replace(",", "")) for one in said if one.endswith("per second.")]
        times["runs"].append(len(order) / rates[-1] if rates else times["index"][-1])
        shutil.rmtree(FOLDER / f"{name}-{turn}.store")
        print(name, {key: round(values[-1], 1) for key, values in times.items()}, embedder.engine, flush=True)
    slower = np.maximum(times["network"], times["reading"])
    share = statistics.median(slower / times["index"])
    rates_of = {key: f"{len(order) / statistics.median(values):,.0f}" for key, values in times.items()}
    return (
        f"| {share:.0%} | {len(order):,} {name}, {architecture} | {rates_of['index']} | {rates_of['runs']} "
        f"| {rates_of['network']} | {rates_of['reading']} |"
    )


def added_rows() -> list[str]:
    """The same number of new files into a large store and into a small one, in turns."""
    make_vectors()
    files = sorted((FOLDER / "cifar10-jpeg" / "train").rglob("*.jpg"))
    stores = {rows: FOLDER / f"added-{rows}" for rows in (ADDED, MILLION)}
    times: dict[int, list[float]] = {rows: [] for rows in stores}
    for rows, path in stores.items():
        lenrek_store(rows)
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(FOLDER / f"store-{rows}", path)
    for turn in range(ROUNDS):
        folder = FOLDER / f"more-{turn}"
        shutil.rmtree(folder, ignore_errors=True)
        for number, file in enumerate(files[turn::ROUNDS][:ADDED]):
            (folder / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
            shutil.copy(file, folder / "ab"[number % 2] / f"{turn}-{number}.jpg")
        for rows, path in stores.items():
            done = lenrek.index(folder, out=path)
            assert done.added == ADDED
            times[rows].append(done.seconds)
        print({rows: round(values[-1], 2) for rows, values in times.items()}, flush=True)
    for path in stores.values():
        shutil.rmtree(path)
    few = times[ADDED]
    return [
        f"| {statistics.median(np.divide(values, few)):.2f} | {rows:,} | {statistics.median(values):.1f} |"
        for rows, values in times.items()
    ]


def memory_rows() -> list[str]:
    model = f"resnet20:{WEIGHTS / 'resnet20-cifar10.safetensors'}"
    store, query = FOLDER / f"store-{MILLION}", FOLDER / "cifar10-jpeg/test/horse/0000.jpg"
    commands = {
        "index of 60,000 files": ["index", FOLDER / "cifar10-jpeg", "--model", model, "--out", FOLDER / "memory.store"],
        "index approximate, 1,000,000 × 512": ["index", "approximate", store],
        "search, 1,000,000 × 512": ["search", store, query],
        "search --exact, 1,000,000 × 512": ["search", store, query, "--exact"],
    }
    rows = []
    for name, command in commands.items():
        with subprocess.Popen([*LENREK, *map(str, command)], stdout=subprocess.DEVNULL) as process:
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, name
        rows.append(f"| {used.ru_maxrss / 1024:,.0f} | `lenrek {name}` |")
    shutil.rmtree(FOLDER / "memory.store")
    return rows


if __name__ == "__main__":
    sys.exit(main())
