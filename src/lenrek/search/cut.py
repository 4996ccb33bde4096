"""A network that ends at one of its layers: nothing beyond it is computed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from lenrek.errors import ModelError
from lenrek.explain.layer_outputs import find_layer
from lenrek.ops.mode import in_mode
from lenrek.optimization.trace import UntraceableError, trace

WHO = "index"
# What may lie between the last feature map and the classifier without learning anything: read before it, not after.
WITHOUT_WEIGHTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.Flatten, nn.Identity)
POOLING = ("pool", "flatten", "dropout", "mean", "view", "reshape", "squeeze", "contiguous")  # in operators' names
WITH_WEIGHTS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


class CutNetwork(nn.Module):
    """`network` up to `layer`, in evaluation mode; it shares the network's weights.

    Args:
        network: takes one tensor (batch, channels, *size).
        size: (channels, *size) of a sample.
        layer: a name of `network.named_modules()`, whose output is taken; of a layer that runs several times, the last
            one. None: what goes into the last layer with weights, read before the pooling and flattening that lie
            between (those learn nothing, and a feature map can be pooled in better ways).
    Attributes:
        layer: `layer`, or in words where it was None.
        features: (channels, *size) of what it returns for one sample.
    Raises:
        ModelError: no such layer, or one that does not run, does not depend on the input, or returns no (batch,
            channels, …).
    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
        >>> cut = CutNetwork(net, (1, 6, 7))
        >>> cut.layer, cut.features, cut(torch.zeros(2, 1, 6, 7)).shape
        ('before 4', (4, 4, 5), torch.Size([2, 4, 4, 5]))
        >>> CutNetwork(net, (1, 6, 7), "0").features
        (4, 4, 5)
    """

    def __init__(self, network: nn.Module, size: tuple[int, ...], layer: str | None = None) -> None:
        super().__init__()
        if layer is not None:
            find_layer(network, layer, WHO)
        held = next(network.parameters(), torch.empty(0))
        x = torch.zeros(2, *size, device=held.device)
        with in_mode(network, training=False), torch.no_grad():
            try:
                self.run, self.layer = _cut_graph(network, layer, x)
            except UntraceableError:
                self.run, self.layer = _Stopped.at(network, layer)
        self.eval()
        with torch.inference_mode():
            found = self.run(x)
        if not isinstance(found, Tensor) or found.ndim < 2 or len(found) != len(x):
            what = f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else f"type {type(found).__name__}"
            raise ModelError(
                f"{WHO}: layer {self.layer} returns {what} for {len(x)} samples, expected (samples, channels, …).\n"
                "  Hint: name another layer."
            )
        self.features = tuple(found.shape[1:])

    def forward(self, x: Tensor) -> Tensor:
        return self.run(x)


def _cut_graph(network: nn.Module, layer: str | None, x: Tensor) -> tuple[nn.Module, str]:
    graph, *_ = trace(network, kept=() if layer is None else (layer,))
    if layer is None:
        try:
            ShapeProp(fx.GraphModule(network, graph)).propagate(x)
        except RuntimeError as error:  # of the user's own forward
            raise UntraceableError(str(error)) from error
    modules = dict(network.named_modules())
    if layer is None:
        end, name = _last_features(graph, modules)
    else:
        runs = [node for node in graph.nodes if node.op == "call_module" and node.target == layer]
        if not runs:  # it lies in a part without a graph, or does not run
            raise UntraceableError(layer)
        end, name = runs[-1], layer
    nodes = list(graph.nodes)
    output, beyond = nodes[-1], nodes[nodes.index(end) + 1 : -1]
    output.args = (end,)
    for node in reversed(beyond):  # also what would write into the features in place
        graph.erase_node(node)
    whole = fx.GraphModule(network, graph)
    graph.eliminate_dead_code()
    whole.recompile()
    return whole, name


def _last_features(graph: fx.Graph, modules: dict[str, nn.Module]) -> tuple[fx.Node, str]:
    """What goes into the last layer with weights, or the feature map that it is pooled from."""
    layers = [n for n in graph.nodes if n.op == "call_module" and isinstance(modules[n.target], WITH_WEIGHTS)]
    if not layers:
        raise ModelError(
            f"{WHO}: the network has no convolution and no linear layer, so that its classifier cannot be told from "
            "its features.\n  Hint: name the layer to take, as --layer features."
        )
    before = f"before {layers[-1].target}"
    end = start = layers[-1].args[0]
    while not _is_map(end):
        above = [node for node in end.all_input_nodes if node.op != "get_attr"]
        if len(above) != 1 or not _learns_nothing(end, modules):
            return start, before
        end = above[0]
    return (start if end.op == "placeholder" else end), before


def _is_map(node: fx.Node) -> bool:
    """Whether a value has an axis beside the channels' that could be pooled."""
    shape = getattr(node.meta.get("tensor_meta"), "shape", ())
    return max(shape[2:], default=1) > 1


def _learns_nothing(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    if node.op == "call_module":
        module = modules[str(node.target)]
        return isinstance(module, WITHOUT_WEIGHTS) or "Pool" in type(module).__name__
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    return any(word in name for word in POOLING)


class _Reached(BaseException):
    def __init__(self, value: Any) -> None:
        self.value = value


class _Stopped(nn.Module):
    """A network without a graph, left by an exception where the layer has run."""

    def __init__(self, network: nn.Module, name: str, before: bool) -> None:
        super().__init__()
        self.network, self.name, self.before = network, name, before

    @classmethod
    def at(cls, network: nn.Module, layer: str | None) -> tuple[nn.Module, str]:
        if layer is not None:
            return cls(network, layer, before=False), layer
        linear = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
        if not linear:
            raise ModelError(
                f"{WHO}: what this network does depends on its input's values, and it has no linear layer: its "
                "features cannot be found.\n  Hint: name the layer to take, as --layer features."
            )
        return cls(network, linear[-1], before=True), f"before {linear[-1]}"

    def forward(self, x: Tensor) -> Tensor:
        def reach(module: nn.Module, inputs: Any, output: Any = None) -> None:
            raise _Reached(inputs[0] if self.before else output)

        module = self.network.get_submodule(self.name)
        hook = module.register_forward_pre_hook(reach) if self.before else module.register_forward_hook(reach)
        try:
            self.network(x)
        except _Reached as reached:
            return reached.value
        finally:
            hook.remove()
        raise ModelError(
            f"{WHO}: layer {self.name} did not run, so that it has no output.\n  Hint: name another layer."
        )
