"""Which way to compute a correlation and its gradients: what each is expected to cost, and the cheapest.

The costs were measured (2 threads of an AVX-512 processor, PyTorch 2.13): PyTorch's rate by kind of convolution, and
nanoseconds per sample transformed. They decide between ways that differ by factors, and nothing else: every way gives
the same sums up to rounding, in the same type.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from math import prod
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from lenrek.errors import OptionError
from lenrek.ops.compiled import compiled_maps
from lenrek.ops.fourier import transform_size
from lenrek.ops.gradients import Methods
from lenrek.ops.layout import Layout
from lenrek.ops.tensors import is_channels_last

Method = Literal["auto", "direct", "gemm", "fft", "matrix"]

LONG = 16  # samples of a kernel axis from which PyTorch leaves its fast paths
GAIN = 0.8  # the Fourier way must be expected to cost less than this part of the direct one


class _Rates(NamedTuple):
    """GFLOP/s of PyTorch in float32, for short and for long kernels."""

    forward: tuple[float, float]
    input_gradient: tuple[float, float]
    weight_gradient: tuple[float, float]
    flipped: bool = False  # the input gradient is faster as a correlation with the flipped kernel, with stride 1


_CONTIGUOUS = {
    "single": _Rates((20, 20), (3, 3), (12, 7), flipped=True),
    "depthwise": _Rates((100, 8), (180, 180), (7, 7)),
    "depthwise 3-D": _Rates((200, 200), (5, 5), (4, 4), flipped=True),
    "thin": _Rates((150, 150), (40, 40), (120, 40), flipped=True),
    "wide": _Rates((400, 180), (400, 150), (350, 60)),
}
_CHANNELS_LAST = {
    "single": _CONTIGUOUS["single"],
    "depthwise": _Rates((200, 200), (120, 120), (12, 2)),
    "depthwise 3-D": _Rates((100, 100), (5, 5), (4, 4), flipped=True),
    "thin": _Rates((150, 150), (120, 60), (120, 0.5)),
    "wide": _Rates((400, 200), (400, 200), (350, 0.5)),
}
_SHORT_DEPTHWISE_WEIGHT_GRADIENT = 70.0  # up to 3 samples, with a path of its own
_COMPILED = 200.0  # of lenrek's own kernels
_FLOAT64 = {"single": 2.0, "depthwise": 4.0, "depthwise 3-D": 0.5, "thin": 10.0, "wide": 40.0}
_LEAST_MACS = 50_000  # below, calling takes longer than computing
_MACS_TO_FLIP = 1_000_000  # below, the flipped kernel is not worth its copy
_START_NS = 50_000.0  # of the Fourier way: several operations instead of one
_TRANSFORM_NS = {"depthwise": 1.0, "dense": 1.8}  # per real sample, there or back
_PRODUCT_NS = 0.1  # per complex multiply-accumulate


class Costs(NamedTuple):
    """Milliseconds expected of each way."""

    direct: float
    fft: float

    @property
    def cheaper(self) -> str:
        return "fft" if self.fft < GAIN * self.direct else "direct"


class Choice(NamedTuple):
    """What `method="auto"` does for one problem, and why.

    Attributes:
        forward, input_gradient, weight_gradient: "direct", "fft" or "gemm"; "kernel", lenrek's own direct one; the
            input gradient also "flipped", a direct correlation with the flipped kernel.
        kind: single (one channel), depthwise, thin (fewer than 16 channels to sum over), wide; or what decided.
        costs: expected milliseconds for forward, input and weight gradient; empty where there was no choice.
    """

    forward: str
    input_gradient: str
    weight_gradient: str
    kind: str
    costs: tuple[Costs, ...] = ()

    @property
    def methods(self) -> Methods:
        return Methods(self.forward, self.input_gradient, self.weight_gradient)

    def way(self, with_gradient: bool) -> str:
        """ "direct" where PyTorch's own operation and its gradients do it all, "kernel" where ours do, else "mixed"."""
        return _native(set(self.methods) if with_gradient else {self.forward})

    def way_transposed(self, with_gradient: bool) -> str:
        """As `way`, for the transposed correlation: its forward is the other's input gradient."""
        way = _native(set(self.methods) if with_gradient else {self.input_gradient})
        return "direct" if way == "direct" else "mixed"

    def __str__(self) -> str:
        """One line for each of the three.

        >>> print(Choice("fft", "fft", "direct", "single", (Costs(9.0, 1.5), Costs(9.0, 1.5), Costs(1.0, 1.5))))
        forward          fft     expected 9.00 ms direct, 1.50 ms fft (single)
        input gradient   fft     expected 9.00 ms direct, 1.50 ms fft (single)
        weight gradient  direct  expected 1.00 ms direct, 1.50 ms fft (single)
        """
        rows = []
        for place, name in enumerate(self._fields[:3]):
            row = f"{name.replace('_', ' '):<17}{self[place]:<8}"
            if self.costs:
                costs = self.costs[place]
                row += f"expected {costs.direct:.2f} ms direct, {costs.fft:.2f} ms fft "
            rows.append(f"{row}({self.kind})")
        return "\n".join(rows)


def _native(ways: set[str]) -> str:
    if ways == {"direct"}:
        return "direct"
    return "kernel" if ways <= {"direct", "kernel"} else "mixed"


def check_method(method: str, x: Tensor, who: str) -> None:
    """Refuse an unknown name, and a way that does not exist for the type of x."""
    if method not in get_args(Method):
        nearest = get_close_matches(str(method), get_args(Method), n=1)
        raise OptionError(
            f"{who}: method is {method!r}, expected one of {', '.join(get_args(Method))}."
            + "".join(f'\n  Hint: did you mean "{name}"?' for name in nearest)
        )
    if method in ("direct", "fft") and not (x.is_floating_point() or x.is_complex()):
        raise OptionError(
            f'{who}: method is "{method}", but x is {x.dtype}, expected a floating or complex type.\n'
            "  Hint: gemm and matrix sum integers exactly."
        )


def choose(x: Tensor, weight: Tensor, layout: Layout, in_size: Sequence[int], out_size: Sequence[int]) -> Choice:
    """The cheaper way for each of the three maps. x is the tensor on either side; its type and device count."""
    if not (x.is_floating_point() or x.is_complex()):
        return Choice("gemm", "gemm", "gemm", "integers have no other exact way")
    if x.device.type != "cpu":
        return Choice("direct", "direct", "direct", f"on {x.device.type} there was nothing measured")
    if prod(weight.shape[2:]) == 1:
        return Choice("direct", "direct", "direct", "kernel of one sample")
    ndim, kernel = layout.ndim, weight.shape[2:]
    batch = x.shape[0] if x.ndim == weight.ndim else 1
    macs = batch * weight.numel() * prod(out_size)
    if macs < _LEAST_MACS:
        return Choice("direct", "direct", "direct", f"fewer than {_LEAST_MACS} multiply-accumulates")
    kind = _kind(weight, layout)
    fft = _fft_ms(batch, weight, layout, in_size)
    flips = _table(x)[kind].flipped and macs > _MACS_TO_FLIP and max(layout.stride) == 1 and ndim <= 3
    flips = flips and (kind != "thin" or (ndim < 3 and weight.shape[1] > 1))
    compiled = compiled_maps(x, weight, layout, in_size)
    found = zip(Methods._fields, _rates(kind, kernel, x, flips), strict=True)
    rates = [_COMPILED if name in compiled else rate for name, rate in found]
    scale = (1 if ndim <= 3 else 2) * (4 if x.is_complex() else 1)  # beyond 3-D: sums of strided parts
    costs = tuple(Costs(scale * macs * 2e-6 / rate, fft * (2 if x.is_complex() else 1)) for rate in rates)
    forward, input_gradient, weight_gradient = (
        "kernel" if cost.cheaper == "direct" and name in compiled else cost.cheaper
        for name, cost in zip(Methods._fields, costs, strict=True)
    )
    if input_gradient == "direct" and flips:
        input_gradient = "flipped"
    if (forward, input_gradient) != ("direct", "direct") and (ndim > 3 or x.is_complex()):
        weight_gradient = "fft" if weight_gradient == "fft" else "gemm"  # PyTorch has no such operation on its own
    return Choice(forward, input_gradient, weight_gradient, kind, costs)


def _kind(weight: Tensor, layout: Layout) -> str:
    if weight.shape[1] == 1 and layout.groups > 1:
        return "depthwise" if layout.ndim < 3 else "depthwise 3-D"
    if weight.shape[1] == 1 and weight.shape[0] == 1:
        return "single"
    return "thin" if weight.shape[1] < 16 else "wide"


def _rates(kind: str, kernel: Sequence[int], x: Tensor, flips: bool) -> tuple[float, float, float]:
    """GFLOP/s of forward, input gradient and weight gradient."""
    if x.dtype in (torch.float64, torch.complex128):
        return (_FLOAT64[kind],) * 3
    rates, is_long = _table(x)[kind], max(kernel) >= LONG
    backward = (rates.forward if flips else rates.input_gradient)[is_long]
    if kind == "depthwise" and max(kernel) <= 3:
        return rates.forward[0], backward, _SHORT_DEPTHWISE_WEIGHT_GRADIENT
    return rates.forward[is_long], backward, rates.weight_gradient[is_long]


def _table(x: Tensor) -> dict[str, _Rates]:
    return _CHANNELS_LAST if is_channels_last(x) else _CONTIGUOUS


def _fft_ms(batch: int, weight: Tensor, layout: Layout, in_size: Sequence[int]) -> float:
    """Three transforms (input, kernel, output) and the products between them; the same for all three maps."""
    size = prod(transform_size(in_size, layout.extents(weight.shape[2:]), layout.sides))
    in_channels, out_channels = weight.shape[1] * layout.groups, weight.shape[0]
    samples = size * (batch * (in_channels + out_channels) + out_channels * weight.shape[1])
    if weight.shape[1] == 1 and weight.shape[0] == layout.groups:
        return 1e-6 * (_START_NS + _TRANSFORM_NS["depthwise"] * samples)
    products = batch * out_channels * weight.shape[1] * size / 2
    return 1e-6 * (_START_NS + _TRANSFORM_NS["dense"] * samples + _PRODUCT_NS * products)
