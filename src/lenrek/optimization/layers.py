"""Which layers and functions a fused block can stand for, and with which parameters."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import fx, nn
from torch.nn import functional as F

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
ADDITIONS = {operator.add, operator.iadd, torch.add}


class Activation(NamedTuple):
    """A name of `lenrek.kernels`, and the slope of leaky ReLU."""

    name: str
    slope: float = 0.01


class Pooling(NamedTuple):
    """max, average or global_average over the last `ndim` axes; ints stand for every axis."""

    kind: str
    ndim: int
    kernel_size: Any = ()
    stride: Any = ()
    padding: Any = 0
    ceil_mode: bool = False


_ACTIVATION_LAYERS: dict[type, Callable[[Any], Activation | None]] = {
    nn.ReLU: lambda m: Activation("relu"),
    nn.ReLU6: lambda m: Activation("relu6"),
    nn.LeakyReLU: lambda m: Activation("leaky_relu", m.negative_slope),
    nn.GELU: lambda m: Activation("gelu") if m.approximate == "none" else None,
    nn.SiLU: lambda m: Activation("silu"),
    nn.Hardswish: lambda m: Activation("hardswish"),
}
_ACTIVATION_FUNCTIONS: dict[Any, str] = {
    F.relu: "relu",
    torch.relu: "relu",
    torch.relu_: "relu",
    F.relu6: "relu6",
    F.silu: "silu",
    F.hardswish: "hardswish",
    "relu": "relu",
    "relu_": "relu",
}
MAX_POOLS = (F.max_pool1d, F.max_pool2d, F.max_pool3d)
AVERAGE_POOLS = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)
_ADAPTIVE_POOLS = (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)
_TORCH_MAX_POOLS = (torch.max_pool1d, torch.max_pool2d, torch.max_pool3d)
_POOLING_FUNCTIONS: dict[Any, tuple[str, int]] = {
    function: (kind, ndim)
    for kind, functions in (
        ("max", MAX_POOLS),
        ("max", _TORCH_MAX_POOLS),
        ("average", AVERAGE_POOLS),
        ("global_average", _ADAPTIVE_POOLS),
    )
    for ndim, function in enumerate(functions, 1)
}


def convolution_axes(layer: Any) -> int:
    """The number of axes of a layer that computes PyTorch's convolution and nothing else; 0 for all others."""
    for ndim, plain in enumerate(CONVOLUTIONS, 1):
        if isinstance(layer, plain):
            kind = type(layer)  # weight norm and other parametrisations make a class of their own
            return ndim if kind.forward is plain.forward and kind._conv_forward is plain._conv_forward else 0
    return 0


def activation_of(layer: nn.Module) -> Activation | None:
    """None for what is no activation of ours."""
    describe = _ACTIVATION_LAYERS.get(type(layer))
    return describe(layer) if describe else None


def pooling_of(layer: nn.Module) -> Pooling | None:
    match layer:
        case nn.MaxPool1d() | nn.MaxPool2d() | nn.MaxPool3d() if type(layer).__module__ == "torch.nn.modules.pooling":
            windows = layer.kernel_size, layer.stride, layer.padding, layer.ceil_mode
            plain = not layer.return_indices and _all(layer.dilation, 1)
            return Pooling("max", _ndim(layer), *windows) if plain else None
        case nn.AvgPool1d() | nn.AvgPool2d() | nn.AvgPool3d() if type(layer).__module__ == "torch.nn.modules.pooling":
            whole = layer.count_include_pad or _all(layer.padding, 0)
            plain = whole and not layer.ceil_mode and getattr(layer, "divisor_override", None) is None
            return Pooling("average", _ndim(layer), layer.kernel_size, layer.stride, layer.padding) if plain else None
        case nn.AdaptiveAvgPool1d() | nn.AdaptiveAvgPool2d() | nn.AdaptiveAvgPool3d():
            return Pooling("global_average", _ndim(layer)) if _all(layer.output_size, 1) else None
    return None


def activation_at(node: fx.Node, layer: nn.Module | None) -> Activation | None:
    """The activation that a node of a graph computes on its first argument, and on nothing else."""
    if layer is not None:
        return activation_of(layer)
    options = {k: v for k, v in node.kwargs.items() if k != "inplace"}
    if node.op in ("call_function", "call_method") and node.target in _ACTIVATION_FUNCTIONS:
        return Activation(_ACTIVATION_FUNCTIONS[node.target]) if not options and _only_flags(node) else None
    if node.op == "call_function" and node.target is F.gelu:
        return Activation("gelu") if options.get("approximate", "none") == "none" and len(node.args) == 1 else None
    if node.op == "call_function" and node.target is F.leaky_relu:
        slope = node.args[1] if len(node.args) > 1 else options.get("negative_slope", 0.01)
        return Activation("leaky_relu", slope) if isinstance(slope, float) else None
    return None


def pooling_at(node: fx.Node, layer: nn.Module | None) -> Pooling | None:
    """The pooling that a node of a graph computes on its first argument."""
    if layer is not None:
        return pooling_of(layer)
    if node.op != "call_function" or node.target not in _POOLING_FUNCTIONS:
        return None
    kind, ndim = _POOLING_FUNCTIONS[node.target]
    if kind == "global_average":
        size = node.args[1] if len(node.args) > 1 else node.kwargs.get("output_size")
        return Pooling(kind, ndim) if _is_integers(size) and _all(size, 1) else None
    given = dict(zip(("kernel_size", "stride", "padding"), node.args[1:], strict=False)) | dict(node.kwargs)
    kernel, stride, padding = given.pop("kernel_size", None), given.pop("stride", None), given.pop("padding", 0)
    ceil = given.pop("ceil_mode", False) if kind == "max" else False
    usual = {"dilation": 1, "ceil_mode": False, "return_indices": False, "count_include_pad": True}
    if len(node.args) > 4 or any(usual.get(name, object()) != value for name, value in given.items()):
        return None
    stride = kernel if stride is None or stride == [] else stride
    if not all(_is_integers(n) for n in (kernel, stride, padding)) or not isinstance(ceil, bool):
        return None
    return Pooling(kind, ndim, kernel, stride, padding, ceil)


def _ndim(layer: nn.Module) -> int:
    return int(type(layer).__name__[-2])


def _only_flags(node: fx.Node) -> bool:
    return len(node.args) == 1 or (len(node.args) == 2 and isinstance(node.args[1], bool))


def _all(value: Any, wanted: int) -> bool:
    return all(v == wanted for v in value) if isinstance(value, tuple | list) else value == wanted


def _is_integers(value: Any) -> bool:
    values = value if isinstance(value, tuple | list) else (value,)
    return bool(values) and all(isinstance(v, int) and not isinstance(v, bool) for v in values)
