"""How fast lenrek's convolutions are beside PyTorch's: `lenrek.ops.correlate` as it comes, and the best PyTorch can do.

    python benchmarks/operators.py [GROUP …] [--rounds N]

Every case is timed in one process, the contenders in turn, each as often as fits into 50 ms a round; the figure is the
best round. PyTorch runs with x and weight contiguous and channels-last, lenrek the same two; the ratio is PyTorch's
best over lenrek's best, above 1 where lenrek is faster, forward alone and forward with both gradients.

Groups: `deepbench` (sizes of public speech and vision networks, each once, at its smallest batch: a table with the
columns that `deepbench` reads, at LENREK_PROBLEMS), `vgg16`, `resnet50`, `mobilenet_v2` (their layers at 224×224, each
once), `axes` (1-D and 3-D), and `long` (kernels for which PyTorch has only the slow way).
Results: results/operators.md and one line per case in results/operators.csv.
"""

from __future__ import annotations

import csv
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import functional as F

from lenrek.models.create import create_model
from lenrek.ops import choose_method, correlate

HERE = Path(__file__).parent
PROBLEMS = Path(os.environ.get("LENREK_PROBLEMS", HERE.parents[1] / "shared" / "bench" / "conv_problems.csv"))
GROUPS = ("deepbench", "vgg16", "resnet50", "mobilenet_v2", "axes", "long")
ROUND_S = 0.05
SLOW_S = 1.0
BATCH = 4


@dataclass(frozen=True)
class Case:
    group: str
    x: tuple[int, ...]
    weight: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    groups: int = 1

    def __str__(self) -> str:
        size, kernel = ("×".join(map(str, shape[2:])) for shape in (self.x, self.weight))
        apart = f" groups {self.groups}" if self.groups > 1 else ""
        step = f" stride {self.stride[0]}" if max(self.stride) > 1 else ""
        return f"{self.x[0]}×{self.x[1]}→{self.weight[0]} on {size}, kernel {kernel}{step}{apart}"


def deepbench() -> Iterator[Case]:
    seen = set()
    for row in csv.DictReader(PROBLEMS.open()):
        n = {name: int(value) for name, value in row.items() if name != "set"}
        size, kernel = (n["height"], n["width"]), (n["kernel_height"], n["kernel_width"])
        weight = (n["out_channels"], n["in_channels"], *kernel)
        padding = (n["padding_height"], n["padding_width"])
        key = (size, weight, padding, n["stride_height"], n["stride_width"])
        if key not in seen:
            seen.add(key)
            x = (n["batch"], n["in_channels"], *size)
            yield Case("deepbench", x, weight, (n["stride_height"], n["stride_width"]), padding)


def layers(name: str) -> Iterator[Case]:
    """The convolutions of a network, from what goes through it."""
    model = create_model(name).to("meta").eval()
    found: dict[Case, None] = {}

    def note(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        x = (BATCH, *inputs[0].shape[1:])
        found[Case(name, x, tuple(module.weight.shape), module.stride, module.padding, module.groups)] = None

    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_pre_hook(note)
    model(torch.empty(1, 3, 224, 224, device="meta"))
    yield from found


def line(group: str, batch: int, ins: int, outs: int, size: tuple[int, ...], k: int, groups: int = 1, step: int = 1):
    ndim = len(size)
    weight = (outs, ins // groups, *[k] * ndim)
    return Case(group, (batch, ins, *size), weight, (step,) * ndim, (k // 2,) * ndim, groups)


def axes() -> Iterator[Case]:
    for ins, outs, n, k, groups, step in [
        (1, 64, 16000, 80, 1, 4), (64, 64, 2000, 3, 1, 1), (128, 128, 500, 3, 1, 1), (32, 32, 4096, 7, 1, 2),
        (64, 64, 2048, 7, 64, 1), (64, 64, 2048, 31, 64, 1), (1, 1, 16384, 9, 1, 1), (256, 256, 250, 3, 1, 1),
    ]:  # fmt: skip
        yield line("axes", 8, ins, outs, (n,), k, groups, step)
    for ins, outs, n, k, groups, step in [
        (1, 32, 32, 3, 1, 1), (32, 32, 32, 3, 1, 1), (32, 64, 16, 3, 1, 2), (64, 64, 16, 3, 1, 1),
        (1, 1, 64, 5, 1, 1), (32, 32, 32, 3, 32, 1), (32, 32, 16, 5, 32, 1), (64, 64, 8, 3, 1, 1),
        (16, 64, 16, 1, 1, 1),
    ]:  # fmt: skip
        yield line("axes", 2, ins, outs, (n, n, n), k, groups, step)


def long() -> Iterator[Case]:
    for batch, ins, outs, n, k, groups in [
        (8, 1, 1, 16000, 257, 1), (8, 1, 16, 16000, 257, 1), (8, 16, 16, 4096, 257, 1), (8, 16, 16, 4096, 511, 1),
        (8, 64, 64, 2048, 257, 1), (8, 64, 64, 4096, 1025, 1), (8, 64, 64, 4096, 257, 64), (8, 64, 64, 4096, 1025, 64),
        (1, 1, 1, 160000, 4097, 1),
    ]:  # fmt: skip
        yield line("long", batch, ins, outs, (n,), k, groups)
    for batch, ins, outs, n, k, groups in [
        (1, 1, 1, 512, 31, 1), (1, 3, 8, 256, 31, 1), (2, 16, 16, 128, 31, 1), (4, 64, 64, 56, 31, 64),
        (4, 128, 128, 56, 31, 128), (2, 32, 32, 64, 51, 1), (1, 1, 1, 512, 63, 1),
    ]:  # fmt: skip
        yield line("long", batch, ins, outs, (n, n), k, groups)


def cases(group: str) -> Iterator[Case]:
    makers: dict[str, Callable[[], Iterator[Case]]] = {"deepbench": deepbench, "axes": axes, "long": long}
    return makers[group]() if group in makers else layers(group)


def contenders(case: Case) -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:
    """name → (forward, forward and gradients)."""
    found = {}
    theirs = (F.conv1d, F.conv2d, F.conv3d)[len(case.stride) - 1]
    formats = {1: [torch.contiguous_format], 2: [torch.contiguous_format, torch.channels_last]}
    formats[3] = [torch.contiguous_format, torch.channels_last_3d]
    for memory in formats[len(case.stride)]:
        x = torch.randn(case.x).contiguous(memory_format=memory)
        weight = (torch.randn(case.weight) / 10).contiguous(memory_format=memory)
        options = {"stride": case.stride, "padding": case.padding, "groups": case.groups}
        for who, op in (("pytorch", theirs), ("lenrek", correlate)):

            def forward(op=op, x=x, weight=weight, options=options):
                with torch.no_grad():
                    return op(x, weight, **options)

            wanted = x.clone().requires_grad_(), weight.clone().requires_grad_()
            grad = torch.randn_like(forward())

            def both(op=op, wanted=wanted, grad=grad, options=options):
                return torch.autograd.grad(op(*wanted, **options), wanted, grad)

            found[f"{who} {str(memory).removeprefix('torch.')}"] = (forward, both)
    return found


def best_ms(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The best round of each, in turn, after one call to warm up; what takes over a second is called once."""
    counts, best = {}, dict.fromkeys(runs, float("inf"))
    for name, run in runs.items():
        start = time.perf_counter()
        run()
        if time.perf_counter() - start > SLOW_S:
            best[name] = (time.perf_counter() - start) * 1e3
            continue
        start = time.perf_counter()
        run()
        counts[name] = max(1, min(200, int(ROUND_S / (time.perf_counter() - start))))
    for _ in range(rounds):
        for name, count in counts.items():
            start = time.perf_counter()
            for _ in range(count):
                runs[name]()
            best[name] = min(best[name], (time.perf_counter() - start) / count * 1e3)
    return best


def measure(case: Case, rounds: int) -> dict[str, object]:
    found = contenders(case)
    row: dict[str, object] = {"group": case.group, "case": str(case)}
    for place, what in enumerate(("forward", "both")):
        times = best_ms({name: runs[place] for name, runs in found.items()}, rounds)
        theirs = min(t for name, t in times.items() if name.startswith("pytorch"))
        ours = min(t for name, t in times.items() if name.startswith("lenrek"))
        row |= {f"{what}_ratio": round(theirs / ours, 3), f"{what}_pytorch_ms": round(theirs, 3)}
        row |= {f"{what}_lenrek_ms": round(ours, 3)}
    x, weight = torch.empty(case.x), torch.empty(case.weight)
    choice = choose_method(x, weight, case.stride, case.padding, 1, case.groups)
    row["methods"] = "/".join(choice[:3])
    return row


def report(rows: list[dict]) -> str:
    cpu = next(
        (r.split(":")[1].strip() for r in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in r), ""
    )
    lines = [
        "# lenrek's convolutions beside PyTorch's best layout",
        "",
        f"{cpu or platform.processor()}, {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads; "
        f"PyTorch {torch.__version__}, Python {platform.python_version()}, float32. Times are best rounds, in turn; "
        "ratio = PyTorch's best layout / lenrek's, above 1 where lenrek is faster.",
        "",
        "| group | cases | forward: median (worst – best) | with gradients: median (worst – best) | below 0.95 |",
        "|---|---|---|---|---|",
    ]
    for group in GROUPS:
        mine = [row for row in rows if row["group"] == group]
        if mine:
            cells = []
            for what in ("forward_ratio", "both_ratio"):
                ratios = [float(row[what]) for row in mine]
                cells.append(f"{statistics.median(ratios):.2f}× ({min(ratios):.2f} – {max(ratios):.1f})")
            slow = sum(float(row[w]) < 0.95 for row in mine for w in ("forward_ratio", "both_ratio"))
            lines.append(f"| {group} | {len(mine)} | {cells[0]} | {cells[1]} | {slow} of {2 * len(mine)} |")
    for title, chosen in (
        ("Where PyTorch has only the slow way", [r for r in rows if r["group"] == "long"]),
        (
            "Slower than PyTorch (below 0.95×)",
            [r for r in rows if min(float(r["forward_ratio"]), float(r["both_ratio"])) < 0.95],
        ),
        (
            "Faster than PyTorch by half or more, elsewhere",
            [r for r in rows if r["group"] != "long" and max(float(r["forward_ratio"]), float(r["both_ratio"])) >= 1.5],
        ),
    ):
        lines += ["", f"## {title}", ""]
        if not chosen:
            lines.append("None.")
            continue
        lines += [
            "| case | forward | PyTorch, lenrek ms | with gradients | PyTorch, lenrek ms | methods |",
            "|---|---|---|---|---|---|",
        ]
        for r in chosen:
            lines.append(
                f"| {r['case']} "
                f"| {float(r['forward_ratio']):.2f}× | {r['forward_pytorch_ms']}, {r['forward_lenrek_ms']} "
                f"| {float(r['both_ratio']):.2f}× | {r['both_pytorch_ms']}, {r['both_lenrek_ms']} | {r['methods']} |"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    words = sys.argv[1:]
    rounds = int(words.pop(words.index("--rounds") + 1)) if "--rounds" in words else 5
    wanted = [word for word in words if not word.startswith("--")] or list(GROUPS)
    path = HERE / "results" / "operators.csv"
    old = list(csv.DictReader(path.open())) if path.exists() else []
    rows = [row for row in old if row["group"] not in wanted]
    for group in wanted:
        for case in cases(group):
            torch.manual_seed(0)
            rows.append(measure(case, rounds))
            row = rows[-1]
            print(f"{row['forward_ratio']:>7} {row['both_ratio']:>7}  {group}: {case}  {row['methods']}", flush=True)
    rows.sort(key=lambda row: GROUPS.index(row["group"]))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (HERE / "results" / "operators.md").write_text(report(rows))


if __name__ == "__main__":
    main()
