"""How fast prediction is: `lenrek.compile_inference` beside each engine set up by hand.

    python benchmarks/inference.py [NETWORK …] [--rounds N]

One sample and 64 at a time, the same PyTorch batch in memory for all. The contenders take turns, each as often as fits
into 50 ms a round, a slow one once; the figure is the best call. After a minute on one number of samples no further
round begins: the column "rounds" says how many there were. By hand:

    PyTorch        evaluation mode, torch.inference_mode: float32 as it comes, channels-last, channels-last with
                   bfloat16 autocast; the fastest of these
    ONNX Runtime   torch.onnx.export, a session with PyTorch's number of threads
    OpenVINO       the same ONNX file, latency hint, float32 and bfloat16; the faster

The ratio is the fastest of all three over lenrek: 1 is as fast as the best engine, at least 0.95 is the aim.
Results: results/inference.md.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("GOMP_SPINCOUNT", "3000")  # as lenrek's commands run: no engine meets the threads of another

import onnxruntime
import openvino
import torch
from torch import Tensor, nn
from train_step import NETWORKS

from lenrek import compile_inference

BATCHES = (1, 64)
ROUND_S = 0.05
LIMIT_S = 60.0  # per network and number of samples; one round in any case
RESULT = Path(__file__).parent / "results" / "inference.md"
FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}

Call = Callable[[Tensor], object]


def by_hand(make: Callable[[], nn.Module], shape: tuple[int, ...]) -> dict[str, Call]:
    """The contenders, as their own documentation sets them up."""
    torch.manual_seed(0)
    net = make().eval()
    torch.manual_seed(0)
    last = make().eval()
    layout = FORMATS.get(1 + len(shape), torch.contiguous_format)
    last = last.to(memory_format=layout)

    @torch.inference_mode()
    def bfloat16(x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return last(x.contiguous(memory_format=layout)).float()

    threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/network.onnx"
        open_batch = ({0: torch.export.Dim("batch")},)
        torch.onnx.export(net, (torch.zeros(2, *shape),), file, dynamo=True, dynamic_shapes=open_batch, verbose=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(file, options)
        (name,) = (given.name for given in session.get_inputs())
        core = openvino.Core()
        vino = {
            hint: core.compile_model(file, "CPU", {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": hint})
            for hint in ("f32", "bf16")
        }
    return {
        "PyTorch": torch.inference_mode()(net),
        "PyTorch channels-last": torch.inference_mode()(lambda x: last(x.contiguous(memory_format=layout))),
        "PyTorch bf16": bfloat16,
        "ONNX Runtime": lambda x: session.run(None, {name: x.numpy()}),
        "OpenVINO": lambda x: vino["f32"](x.numpy()),
        "OpenVINO bf16": lambda x: vino["bf16"](x.numpy()),
    }  # fmt: skip


def best_times(contenders: dict[str, Call], x: Tensor, rounds: int) -> tuple[dict[str, float], int]:
    """The least seconds of a call of each, and after how many rounds."""
    best = dict.fromkeys(contenders, float("inf"))
    begin, done = time.perf_counter(), 0
    for call in contenders.values():
        call(x)
    while done < rounds and (not done or time.perf_counter() - begin < LIMIT_S):
        for name, call in contenders.items():
            spent = 0.0
            while spent < ROUND_S:
                start = time.perf_counter()
                call(x)
                took = time.perf_counter() - start
                best[name], spent = min(best[name], took), spent + took
        done += 1
    return best, done


def measure(name: str, rounds: int) -> list[str]:
    """One row of the table per batch size."""
    make, shape, _ = NETWORKS[name]
    contenders = by_hand(make, shape)
    torch.manual_seed(0)
    start = time.perf_counter()
    compiled = compile_inference(make(), shape)
    compile_s = time.perf_counter() - start
    rows = []
    for batch in BATCHES:
        times, done = best_times(contenders | {"lenrek": compiled}, torch.randn(batch, *shape), rounds)
        lenrek = times.pop("lenrek")
        ratios.append(min(times.values()) / lenrek)
        torch_best = min(took for contender, took in times.items() if contender.startswith("PyTorch"))
        vino_best = min(times["OpenVINO"], times["OpenVINO bf16"])
        figures = (lenrek, torch_best, times["ONNX Runtime"], vino_best)
        rows.append(
            f"| {name} | {batch} | **{ratios[-1]:.2f}** | {torch_best / lenrek:.1f} | {compiled.engine(batch)} | "
            + " | ".join(f"{1e3 * took:.3g}" for took in figures)
            + f" | {done} | {compile_s:.0f} |"
        )
        print(rows[-1], flush=True)
    return rows


def header(rounds: int) -> list[str]:
    capability = torch.backends.cpu.get_cpu_capability()
    return [
        "# Inference",
        "",
        f"{platform.processor() or platform.machine()}, {capability}, {torch.get_num_threads()} threads; "
        f"Python {platform.python_version()}, torch {torch.__version__}, openvino {openvino.get_version()}, "
        f"onnxruntime {onnxruntime.__version__}.  ",
        f"`python benchmarks/inference.py --rounds {rounds}`; best calls, in milliseconds; bfloat16 allowed.",
        "",
        f"Geometric mean of the ratio to the fastest engine by hand: {statistics.geometric_mean(ratios):.2f}, "
        f"least {min(ratios):.2f}.",
        "",
        "| network | batch | fastest by hand / lenrek | PyTorch / lenrek | lenrek runs | lenrek | PyTorch "
        "| ONNX Runtime | OpenVINO | rounds | compiling, s |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]


ratios: list[float] = []


def main() -> None:
    arguments = sys.argv[1:]
    rounds = 5
    if "--rounds" in arguments:
        place = arguments.index("--rounds")
        rounds = int(arguments[place + 1])
        del arguments[place : place + 2]
    warnings.simplefilter("ignore")  # the exporters' deprecations
    RESULT.parent.mkdir(exist_ok=True)
    rows: list[str] = []
    for name in arguments or NETWORKS:
        rows += measure(name, rounds)
        RESULT.write_text("\n".join([*header(rounds), *rows]) + "\n")


if __name__ == "__main__":
    main()
