"""`lenrek bench [MODEL]`: how fast this machine trains and predicts, by PyTorch and by lenrek."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lenrek.cli.console import emit, table
from lenrek.cli.subject import Subject, find_subject
from lenrek.data.shown import counted, shown

if TYPE_CHECKING:
    from lenrek.optimization.measure import Tell, Timing
    from lenrek.optimization.ways import Workload

USUAL = {"resnet9_small": "32", "mobilenet_v2": "96", "resnet18_cifar": "32"}  # without MODEL: these, at that size
ROUNDS, TRAINING_S, INFERENCE_S = 8, 15.0, 10.0  # with start and compilation below a minute
STEP_MACS = 1e11  # of a step by default: about two seconds on two cores
MOST_SAMPLES = 64
BAR_CELLS = 20
NAMES = {"default": "PyTorch", "tuned": "tuned PyTorch", "lenrek": "lenrek"}
KINDS = {1: "signals", 2: "images", 3: "volumes"}


def bench(
    model: Annotated[
        str | None, typer.Argument(help="An architecture, a run's folder or a model file. Default: three usual ones.")
    ] = None,
    size: Annotated[str | None, typer.Option(help="Input size: 96 or 64x96. Default: the architecture's own.")] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Samples per step. Default: up to 64, fewer of large networks.")
    ] = None,
    channels: Annotated[int | None, typer.Option(min=1, help="Of the input. Default: 3.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Default: PyTorch's own choice.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line and network.")] = False,
) -> None:
    """Measure training and prediction: PyTorch as it comes, PyTorch tuned by hand, lenrek. A minute per network."""
    import torch

    from lenrek.optimization.measure import measure_inference, measure_training
    from lenrek.optimization.ways import Workload

    names = [model] if model is not None else list(USUAL)
    subjects = [
        find_subject(name, size or (USUAL[name] if model is None else None), channels, "bench") for name in names
    ]
    threads = threads or torch.get_num_threads()
    for number, subject in enumerate(subjects):
        workload = Workload(subject.make, subject.shape, batch or _affordable(subject))
        with _live(subject.name) as tell:
            found = {
                "training": measure_training(
                    workload, rounds=ROUNDS, limit_s=TRAINING_S, threads=threads, tell=partial(_of, tell, "training")
                ),
                "prediction": measure_inference(
                    workload, rounds=ROUNDS, limit_s=INFERENCE_S, threads=threads, tell=partial(_of, tell, "prediction")
                ),
            }
        rows = [row for work, timings in found.items() for row in _rows(work, timings)]
        if json:
            emit({
                "model": subject.name, "input": list(subject.shape), "batch": workload.batch, "threads": threads,
                "results": rows,
            })  # fmt: skip
        else:
            print("\n" * bool(number), end="")
            _print(subject, workload, threads, rows)


def _affordable(subject: Subject) -> int:
    """Samples of a step that stays below `STEP_MACS`: a power of two, the same on every machine."""
    import torch

    from lenrek.explain.macs import macs
    from lenrek.explain.trace import trace

    calls = trace(subject.make().eval(), [torch.empty(1, *subject.shape, device="meta")], who="bench").calls
    work = sum(macs(call) or 0 for call in calls)
    samples = STEP_MACS / (3 * max(work, 1))  # backward does the work of two forwards
    return 2 ** (max(1, min(MOST_SAMPLES, int(samples))).bit_length() - 1)


def _rows(work: str, timings: dict[str, Timing]) -> Iterator[dict[str, Any]]:
    """Per number of samples and way a JSON-ready row; `speed` is relative to PyTorch as it comes."""
    for samples, plain_s in timings["default"].best_s.items():
        for way, timing in timings.items():
            time_s = timing.best_s[samples]
            yield {
                "work": work, "samples": samples, "way": way, "time_s": time_s, "samples_per_s": samples / time_s,
                "speed": plain_s / time_s, "first_s": timing.first_s, "peak_mib": timing.peak_mib,
            }  # fmt: skip


def _print(subject: Subject, workload: Workload, threads: int, rows: list[dict[str, Any]]) -> None:
    kind = KINDS.get(len(subject.shape) - 1, "samples")
    print(f"{shown(subject.name)}, {' × '.join(map(str, subject.shape))}, {counted(threads, 'thread')}\n")
    cells = [
        [f"{row['work']} of {row['samples']}", NAMES[row["way"]], _figure(1e3 * row["time_s"]),
         f"{row['samples_per_s']:,.0f}", f"{row['peak_mib']:,.0f}", f"{row['speed']:5.2f}×  {_bar(row, rows)}"]
        for row in rows
    ]  # fmt: skip
    table(["work", "by", "ms", f"{kind}/s", "MiB", "speed"], cells, numeric=(2, 3, 4), wrap=False)
    print()
    for work, samples in dict.fromkeys((row["work"], row["samples"]) for row in rows):
        print(_verdict(f"{work} of {samples}", _alike(rows, work, samples)))
    ready_s = {row["work"]: row["first_s"] for row in rows if row["way"] == "lenrek"}
    print("lenrek's first step: " + ", ".join(f"{work} after {time_s:.1f} s" for work, time_s in ready_s.items()))


def _verdict(work: str, rows: list[dict[str, Any]]) -> str:
    """A sentence: what was fastest, and by how much."""
    fastest = max(rows, key=lambda row: row["speed"])
    others = [
        f"{fastest['speed'] / row['speed']:.2f} times as fast as {NAMES[row['way']]}"
        for row in rows
        if row is not fastest
    ]
    return f"{work}: {NAMES[fastest['way']]} is fastest, {' and '.join(others)}"


def _bar(row: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    most = max(other["speed"] for other in _alike(rows, row["work"], row["samples"]))
    drawable = (sys.stdout.encoding or "").lower().startswith("utf")
    return ("█" if drawable else "#") * max(1, round(BAR_CELLS * row["speed"] / most))


def _alike(rows: list[dict[str, Any]], work: str, samples: int) -> list[dict[str, Any]]:
    return [row for row in rows if (row["work"], row["samples"]) == (work, samples)]


def _figure(number: float) -> str:
    """Three digits that count.

    >>> _figure(0.01234), _figure(3.14159), _figure(1234.5)
    ('0.012', '3.14', '1,234')
    """
    return f"{number:,.{0 if number >= 100 else 1 if number >= 10 else 2 if number >= 1 else 3}f}"


def _of(tell: Tell, work: str, sentence: str) -> None:
    tell(f"{work}, {sentence}")


@contextmanager
def _live(name: str) -> Iterator[Tell]:
    """One line on a terminal that says what is being done, and is gone afterwards."""
    if not sys.stderr.isatty():
        yield lambda sentence: None
        return
    clear = "\r\x1b[K"
    try:
        yield lambda sentence: print(f"{clear}{shown(name)}: {sentence} …", end="", file=sys.stderr, flush=True)
    finally:
        print(clear, end="", file=sys.stderr, flush=True)
