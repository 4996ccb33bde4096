"""Loading must not be what training waits for: resident batches, streaming rate and streaming memory.

    python benchmarks/data_loading.py

Reads MNIST, flowers.tar.gz and cifar10-jpeg.tar.gz under LENREK_DATA and writes benchmarks/results/data_loading.md.
Quantities of one ratio are measured in turns, so that another load on the machine meets both; the median counts.
"""

from __future__ import annotations

import os
import platform
import statistics
import tarfile
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import numpy as np
import psutil
import torch

from lenrek.data.augmentation import Policy
from lenrek.data.load import load_samples
from lenrek.data.normalise import normalise
from lenrek.data.open import open_source
from lenrek.data.source import Source
from lenrek.data.stream import StreamedSamples, available_cores
from lenrek.models.contract import InputContract
from lenrek.models.create import create_model

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("LENREK_DATA", ROOT.parent / "shared" / "data"))
RESULT = ROOT / "benchmarks" / "results" / "data_loading.md"
BATCH_SIZE, ROUNDS = 256, 7


def main() -> None:
    os.environ.setdefault("LENREK_DATA", str(DATA))
    with tempfile.TemporaryDirectory() as folder:
        for name in ("cifar10-jpeg", "flowers"):
            with tarfile.open(DATA / f"{name}.tar.gz") as archive:
                archive.extractall(folder, filter="data")
        cifar, flowers = open_source(Path(folder, "cifar10-jpeg")), open_source(Path(folder, "flowers"))
        memory = memory_rows(cifar, flowers)  # first, while the process has not grown for other reasons
        streaming = streaming_rows(cifar, flowers)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text("\n".join([*header(), *resident_rows(), *streaming, *memory, ""]))
    print(RESULT.read_text())


def header() -> list[str]:
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "numpy", "simplejpeg", "pillow"))
    return [
        "# Data loading",
        "",
        f"{cpu()}, {available_cores()} cores; Python {platform.python_version()}, {versions}.  ",
        f"`python benchmarks/data_loading.py`, {ROUNDS} rounds, medians; {time.strftime('%Y-%m-%d')}.",
    ]


def cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except FileNotFoundError:
        return platform.processor()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    fields = {name.strip(): value.strip() for name, value in fields.items()}
    sets = [name for name in ("avx2", "avx512f", "amx_bf16") if name in fields.get("flags", "").split()]
    return f"{fields.get('model name', platform.machine())} ({', '.join(sets)})"


def resident_rows() -> list[str]:
    """One batch out of memory against one training step on it, in the plain and in the fastest precision."""
    source = open_source("mnist")
    contract = InputContract(1, (28, 28), (0.1307,), (0.3081,), source.classes)
    samples = load_samples(source, contract)
    order = np.random.default_rng(0).permutation(samples.index)[: 40 * BATCH_SIZE]
    policy = Policy.parse("shift=0.1")
    prepared = [(normalise(batch.x, contract), batch.labels) for batch in samples.batches(order, BATCH_SIZE)]

    def fetch() -> None:
        for _ in samples.batches(order, BATCH_SIZE):
            pass

    def fetch_and_prepare() -> None:
        for batch in samples.batches(order, BATCH_SIZE):
            normalise(policy.apply(batch.x, batch.index, 0, 0), contract)

    steps = {
        "float32": training_steps(prepared, bf16=False),
        "bf16, channels-last": training_steps(prepared, bf16=True),
    }
    times = medians({"fetch": fetch, "prepare": fetch_and_prepare, **steps})
    rows = [
        f"| {times['fetch'] / times[name]:.1%} | {times['prepare'] / times[name]:.1%} | {name} "
        f"| {1e3 * times[name] / len(prepared):.2f} | {1e3 * times['fetch'] / len(prepared):.3f} |"
        for name in steps
    ]
    return [
        "",
        f"## Resident batches against a training step (LeNet-5, MNIST, batch {BATCH_SIZE}; at most 5 %)",
        "",
        "| batch / step | batch + shift + normalise / step | precision | step, ms | batch, ms |",
        "|---|---|---|---|---|",
        *rows,
    ]


def training_steps(prepared: list[tuple[torch.Tensor, torch.Tensor]], bf16: bool) -> Callable[[], None]:
    torch.manual_seed(0)
    network = create_model("lenet5", num_classes=10, in_channels=1)
    layout = torch.channels_last if bf16 else torch.contiguous_format
    network.to(memory_format=layout)  # type: ignore[call-overload]  # PyTorch's stubs lack it
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)

    def run() -> None:
        for x, labels in prepared:
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                logits = network(x.to(memory_format=layout))
            torch.nn.functional.cross_entropy(logits.float(), labels).backward()
            optimizer.step()

    return run


def streaming_rows(cifar: Source, flowers: Source) -> list[str]:
    return [
        "",
        f"## Streamed batches against the raw rate of the decoders (batch {BATCH_SIZE}; at least 85 %)",
        "",
        f"| stream / raw | data | streamed, images/s | raw, {available_cores()} threads | raw, 1 thread |",
        "|---|---|---|---|---|",
        streaming_row(cifar, (32, 32), 20_000),
        streaming_row(flowers, (128, 128), len(flowers)),
    ]


def streaming_row(source: Source, size: tuple[int, int], number: int) -> str:
    """Batches out of files against the same reader in plain threads that throw away what they read."""
    contract = image_contract(source, size)
    samples = StreamedSamples(source, contract)
    order = np.random.default_rng(0).permutation(len(source))[:number]

    def stream() -> None:
        for _ in samples.batches(order, BATCH_SIZE):
            pass

    def read(share: np.ndarray) -> None:
        for index in share.tolist():
            source.reader.read(index, contract)

    def raw(threads: int) -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(read, np.array_split(order, threads)))

    times = medians({"stream": stream, "raw": lambda: raw(available_cores()), "one": lambda: raw(1)})
    return (
        f"| {times['raw'] / times['stream']:.1%} | {source.name}, {number:,} files to 3×{size[0]}×{size[1]} "
        f"| {number / times['stream']:,.0f} | {number / times['raw']:,.0f} | {number / times['one']:,.0f} |"
    )


def memory_rows(cifar: Source, flowers: Source) -> list[str]:
    """What the process grows by while it streams, beyond what it holds before."""
    rows = []
    for source, size in ((cifar, (32, 32)), (flowers, (224, 224))):
        process = psutil.Process()
        before = process.memory_info().rss
        samples = StreamedSamples(source, image_contract(source, size))
        peak = before
        for _ in samples.batches(samples.index, BATCH_SIZE):
            peak = max(peak, process.memory_info().rss)
        rows.append(f"| {(peak - before) / 1e6:,.0f} | {source.name}, {len(source):,} files to 3×{size[0]}×{size[1]} |")
    return [
        "",
        f"## Memory while streaming (batch {BATCH_SIZE}; at most 1,000 MB)",
        "",
        "| growth, MB | data |",
        "|---|---|",
        *rows,
    ]


def image_contract(source: Source, size: tuple[int, int]) -> InputContract:
    return InputContract(3, size, (0.0,) * 3, (1.0,) * 3, source.classes)


def medians(actions: dict[str, Callable[[], None]]) -> dict[str, float]:
    """Seconds of each, measured in turns after one turn to warm up."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    for turn in range(ROUNDS + 1):
        for name, action in actions.items():
            start = time.perf_counter()
            action()
            if turn:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


if __name__ == "__main__":
    main()
