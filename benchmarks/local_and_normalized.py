"""Locally connected layers and normalised correlation against what is used today.

    pip install scikit-image; python benchmarks/local_and_normalized.py

The candidates take turns, and the best of several rounds counts. Writes results/local_and_normalized.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import prod
from pathlib import Path

import torch
from skimage.feature import match_template
from torch import Tensor
from torch.nn import functional as F

from lenrek.ops.local import local_correlate
from lenrek.ops.normalized import normalized_correlate
from lenrek.training.machine import describe_machine

ROUNDS = 12
MOST_PRODUCTS = 1e8  # beyond, multiply-and-sum fills the memory
RESULT = Path(__file__).parent / "results" / "local_and_normalized.md"
# (batch, in_channels, out_channels, in_size, kernel_size, padding)
LOCAL = [
    (8, 3, 64, (32, 32), 3, 1),
    (16, 64, 64, (14, 14), 3, 1),
    (64, 64, 64, (14, 14), 3, 1),
    (16, 64, 64, (28, 28), 3, 1),
    (1, 64, 64, (14, 14), 3, 1),
    (32, 8, 8, (28, 28), 3, 1),
    (32, 16, 16, (28, 28), 5, 2),
    (32, 16, 32, (256,), 9, 4),
]
TEMPLATES = (8, 31, 64)


def best_ms(candidates: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Milliseconds of the fastest of several rounds, in which the candidates take turns."""
    found = {name: float("inf") for name in candidates}
    for _ in range(ROUNDS):
        for name, run in candidates.items():
            start = time.perf_counter()
            run()
            found[name] = min(found[name], 1e3 * (time.perf_counter() - start))
    return found


def unfolded(x: Tensor, kernel_size: int, padding: int) -> Tensor:
    """(batch, in_channels · ∏kernel, positions)."""
    if x.ndim == 3:
        return F.unfold(x.unsqueeze(2), (1, kernel_size), padding=(0, padding))
    return F.unfold(x, kernel_size, padding=padding)


def local_rows() -> list[str]:
    rows = []
    for batch, in_channels, out_channels, in_size, kernel_size, padding in LOCAL:
        ndim, positions, window = len(in_size), prod(in_size), in_channels * kernel_size ** len(in_size)
        x = torch.randn(batch, in_channels, *in_size)
        ours = torch.randn(*in_size, out_channels, *[kernel_size] * ndim, in_channels).movedim(-1, ndim + 1)
        by_position = ours.reshape(positions, out_channels, window).contiguous()
        natural = by_position.permute(1, 2, 0).contiguous()

        def local(x: Tensor, weight: Tensor, padding: int = padding) -> Tensor:
            return local_correlate(x, weight, padding=padding).flatten(2)

        def einsum(x: Tensor, weight: Tensor, k: int = kernel_size, padding: int = padding) -> Tensor:
            return torch.einsum("bkp,pok->bop", unfolded(x, k, padding), weight)

        def einsum_natural(x: Tensor, weight: Tensor, k: int = kernel_size, padding: int = padding) -> Tensor:
            return torch.einsum("bkp,okp->bop", unfolded(x, k, padding), weight)

        def multiply(x: Tensor, weight: Tensor, k: int = kernel_size, padding: int = padding) -> Tensor:
            return (unfolded(x, k, padding).unsqueeze(1) * weight).sum(2)

        pairs = {
            "local_correlate": (local, ours),
            "einsum": (einsum, by_position),
            "natural": (einsum_natural, natural),
        }
        if batch * out_channels * window * positions <= MOST_PRODUCTS:
            pairs["multiply"] = (multiply, natural)
        expected = local(x, ours)
        for function, weight in pairs.values():
            torch.testing.assert_close(function(x, weight), expected, atol=1e-3, rtol=1e-3)
        seed = torch.randn_like(expected)
        forward = best_ms({name: lambda f=f, w=w, x=x: f(x, w) for name, (f, w) in pairs.items()})

        def step(function: Callable, x: Tensor, weight: Tensor, seed: Tensor = seed) -> None:
            x, weight = x.detach().requires_grad_(), weight.detach().requires_grad_()
            function(x, weight).backward(seed)

        both = best_ms({name: lambda f=f, w=w, x=x, s=step: s(f, x, w) for name, (f, w) in pairs.items()})
        size = "×".join(map(str, in_size))
        row = f"| {batch}×{in_channels}→{out_channels}, {size}, kernel {kernel_size} "
        for found in (forward, both):
            row += f"| {found['local_correlate']:.1f} "
            row += "".join(
                f"| {found[name] / found['local_correlate']:.1f}× " if name in found else "| – "
                for name in ("einsum", "natural", "multiply")
            )
        rows.append(row + "|")
    return rows


def normalized_rows() -> list[str]:
    rows = []
    for size in TEMPLATES:
        for dtype in (torch.float32, torch.float64):
            image = torch.rand(512, 512, dtype=dtype)
            template = image[100 : 100 + size, 200 : 200 + size].clone()
            x, weight = image[None, None], template[None, None]
            pixels, wanted = image.numpy(), template.numpy()
            theirs = torch.from_numpy(match_template(pixels, wanted))
            ours = normalized_correlate(x, weight)[0, 0]
            torch.testing.assert_close(ours, theirs.to(dtype), atol=1e-3, rtol=0)
            found = best_ms(
                {
                    "normalized_correlate": lambda x=x, weight=weight: normalized_correlate(x, weight),
                    "match_template": lambda pixels=pixels, wanted=wanted: match_template(pixels, wanted),
                }
            )
            mine, other = found["normalized_correlate"], found["match_template"]
            kind = str(dtype).removeprefix("torch.")
            rows.append(f"| {size}×{size}, {kind} | {mine:.1f} | {other:.1f} | {other / mine:.1f}× |")
    return rows


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(2)
    text = "\n".join(
        [
            "# Locally connected layers, normalised correlation",
            "",
            f"{describe_machine(torch.device('cpu'))}, torch {torch.__version__}, float32, best of {ROUNDS} rounds.",
            "",
            "## `local_correlate`: ms, and how many times as long the others take",
            "",
            "einsum is `F.unfold` and `einsum('bkp,pok->bop')`, its weights laid out by position; natural is",
            "`einsum('bkp,okp->bop')`, positions last, as written; multiply is a broadcast product, summed.",
            "",
            "| | forward, ms | einsum | natural | multiply | forward + backward, ms | einsum | natural | multiply |",
            "|---|---|---|---|---|---|---|---|---|",
            *local_rows(),
            "",
            "## `normalized_correlate` of a 512×512 image against scikit-image's `match_template`",
            "",
            "| template | lenrek, ms | scikit-image, ms | ratio |",
            "|---|---|---|---|",
            *normalized_rows(),
            "",
        ]
    )
    RESULT.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
