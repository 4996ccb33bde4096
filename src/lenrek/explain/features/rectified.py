"""Where a layer's features go into a nonlinearity, found by following operators, and where that one is flat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lenrek.explain.record import Call, Trace, Volume

NORMS = ("native_batch_norm", "_native_batch_norm_legit", "native_group_norm", "native_layer_norm")
PASSED = (
    "max_pool",
    "adaptive_max_pool",
    "view",
    "_unsafe_view",
    "clone",
    "squeeze",
    "unsqueeze",
)  # change no sign, or no value at all
FLAT = 0.01  # a value this near to a limit counts as at it, as a share of the nonlinearity's range
LN99 = 4.595  # 1 / (1 + e^4.595) = 0.01


@dataclass(frozen=True)
class Nonlinearity:
    """What follows a layer.

    Attributes:
        name: "relu", "hardtanh", …; "" where none follows: a sum, a convolution, the end.
        module: path of the module whose output goes into it: the layer, or the norm behind it.
        off: at or below it, the output is zero or within 0.01 of what it tends to; None where it is never.
        low, high: beyond these the output is at, or within 1 % of its range of, a limit other than zero; None where
            there is no such limit.
    """

    name: str
    module: str
    off: float | None = None
    low: float | None = None
    high: float | None = None

    def is_off(self, values: Tensor) -> Tensor:
        return torch.zeros_like(values, dtype=torch.bool) if self.off is None else values <= self.off

    def is_saturated(self, values: Tensor) -> Tensor:
        found = torch.zeros_like(values, dtype=torch.bool)
        found = found if self.low is None else found | (values <= self.low)
        return found if self.high is None else found | (values >= self.high)


KINDS: dict[str, dict[str, float]] = {
    "relu": {"off": 0.0}, "gelu": {"off": -3.0}, "silu": {"off": -6.5}, "mish": {"off": -6.5},
    "hardswish": {"off": -3.0}, "softplus": {"off": -LN99}, "sigmoid": {"low": -LN99, "high": LN99},
    "tanh": {"low": -2.3, "high": 2.3}, "elu": {"low": -LN99}, "leaky_relu": {}, "_prelu_kernel": {},
}  # fmt: skip


def nonlinearity_after(found: Trace, layer: str) -> Nonlinearity | None:
    """What the output of the module `layer` goes into, in its first run; None where it did not run.

    >>> from lenrek.explain.trace import trace
    >>> from torch import nn
    >>> net = nn.Sequential(nn.Conv1d(1, 2, 3), nn.BatchNorm1d(2), nn.ReLU6()).eval()
    >>> nonlinearity_after(trace(net, [torch.empty(1, 1, 8, device="meta")], who="example"), "0")
    Nonlinearity(name='hardtanh', module='1', off=0.0, low=None, high=6.0)
    """
    run = next((one for one in found.modules if one.path == layer and one.outputs), None)
    if run is None:
        return None
    module, volume, after = layer, run.outputs[0], run.last
    while True:
        calls = [(place, call) for place, call in enumerate(found.calls) if place >= after and volume in call.inputs]
        known = [call for _, call in calls if _kind(call) is not None]
        if known:
            name, limits = _kind(known[0]) or ("", {})
            return Nonlinearity(name, module, **limits)
        if len(calls) != 1:
            return Nonlinearity("", module)
        ((place, call),) = calls
        name = _name(call)
        outer = _module_around(found, call.outputs[0])
        if name.startswith(NORMS) and outer:
            module = outer
        elif not name.startswith(PASSED):
            return Nonlinearity("", module)
        if call.outputs[0] is None:
            return Nonlinearity("", module)
        volume, after = call.outputs[0], place + 1


def _name(call: Call) -> str:
    """Without library, and the same in place."""
    return call.name.partition(".")[2].rstrip("_")


def _kind(call: Call) -> tuple[str, dict[str, float]] | None:
    name = _name(call)
    if name in KINDS:
        return name, KINDS[name]
    if name == "clamp_min" or name == "clamp" or name == "hardtanh":
        low, high = _limits(call, name)
        limits = {"off" if low == 0 else "low": low, "high": high}
        return name, {key: float(limit) for key, limit in limits.items() if limit is not None}
    return None


def _limits(call: Call, name: str) -> tuple[Any, Any]:
    given = [*call.args[1:], None, None]
    if name == "hardtanh":
        return (-1.0 if given[0] is None else given[0]), (1.0 if given[1] is None else given[1])
    return call.kwargs.get("min", given[0]), call.kwargs.get("max", given[1])


def _module_around(found: Trace, volume: Volume | None) -> str:
    """The innermost module that returned the volume; "" where there is none."""
    around = [run for run in found.modules if volume is not None and volume in run.outputs]
    return max(around, key=lambda run: run.depth).path if around else ""
