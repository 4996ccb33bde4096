"""Single nodes of a graph that have a faster equal, put in their place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, fx, nn
from torch.nn import functional as F

from lenrek.kernels.layout import dense, is_dense
from lenrek.optimization.convolution import convolve
from lenrek.optimization.layers import convolution_axes
from lenrek.optimization.trace import has_hooks

_CONSTANT_PADS = (nn.ConstantPad1d, nn.ZeroPad1d)
ADAPTIVE_AVERAGES = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)


def replace_nodes(graph: fx.Graph, root: nn.Module) -> dict[fx.Node, fx.Node]:
    """Put a call in place of every layer that `_replacement` knows; the calls, and what each stands for."""
    layers, replaced = dict(root.named_modules()), {}
    for node in list(graph.nodes):
        layer = layers.get(str(node.target)) if node.op == "call_module" else None
        function = None if layer is None or has_hooks(layer) else _replacement(layer)
        if function is None or len(node.args) != 1 or node.kwargs:
            continue
        with graph.inserting_before(node):
            call = graph.call_function(function, (node.args[0], graph.get_attr(str(node.target))))
        node.replace_all_uses_with(call)
        graph.erase_node(node)
        replaced[call] = node
    return replaced


def _replacement(layer: Any) -> Callable[[Tensor, Any], Tensor] | None:
    ndim = convolution_axes(layer)
    if ndim == 1 or (ndim and layer.weight.shape[1] == 1):  # signals, depthwise, one channel
        return convolve
    if type(layer) in _CONSTANT_PADS:
        return pad
    return adaptive_average if type(layer) in ADAPTIVE_AVERAGES else None


def pad(x: Tensor, layer: Any) -> Tensor:
    """`layer(x)` of a constant padding of signals, which keeps their layout: PyTorch's knows that of images only."""
    if has_hooks(layer) or type(layer) not in _CONSTANT_PADS or x.ndim != 3 or x.shape[1] == 1 or not is_dense(x):
        return layer(x)
    return F.pad(x.unsqueeze(2), layer.padding, "constant", layer.value).squeeze(2)


def adaptive_average(x: Tensor, layer: Any) -> Tensor:
    """`layer(x)`: where the size is already the one wanted, or 1, every average is of one sample."""
    wanted = layer.output_size
    size = tuple(x.shape[2:])
    wanted = tuple(wanted) if isinstance(wanted, tuple | list) else (wanted,) * len(size)
    plain = not has_hooks(layer) and type(layer) in ADAPTIVE_AVERAGES and len(wanted) == len(size) == x.ndim - 2
    if plain and all(w is None or w == n for w, n in zip(wanted, size, strict=True)):
        return x.clone()
    if plain and set(size) == {1} and None not in wanted and x.numel():
        return dense(x.expand(*x.shape[:2], *wanted))
    return layer(x)
