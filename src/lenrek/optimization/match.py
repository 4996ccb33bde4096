"""Chains of a graph that one pass over memory can compute, found and put in place of their nodes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import fx, nn

from lenrek.optimization import fused
from lenrek.optimization.layers import (
    ADDITIONS,
    NORMS,
    Activation,
    Pooling,
    activation_at,
    convolution_axes,
    pooling_at,
)
from lenrek.optimization.trace import has_hooks


@dataclass
class Chain:
    """Nodes that become one: convolution with bias or norm, then addition, activation and pooling, as far as present.

    Attributes:
        nodes: in order; the result of each but the last is used by the next alone.
        source: what goes in.
    """

    source: fx.Node
    nodes: list[fx.Node] = field(default_factory=list)
    convolution: fx.Node | None = None
    norm: fx.Node | None = None
    residual: fx.Node | None = None
    activation: Activation | None = None
    activation_node: fx.Node | None = None
    pooling: Pooling | None = None
    pooling_node: fx.Node | None = None

    @property
    def gains(self) -> bool:
        """Whether one pass over memory takes the place of several, or a faster one that of a slow one.

        A bias and a clip alone are none: the one is added, and the other done in place, in passing.
        """
        costly = self.activation is not None and self.activation.name not in ("relu", "relu6", "leaky_relu")
        return self.norm is not None or self.pooling is not None or (self.convolution is not None and costly)

    def __str__(self) -> str:
        names = {"convolution": self.convolution, "norm": self.norm, "add": self.residual}
        words = [name for name, node in names.items() if node is not None]
        if self.activation is not None:
            words.append(self.activation.name)
        if self.pooling is not None:
            words.append(f"{self.pooling.kind} pool")
        return " + ".join(words)


def find_chains(graph: fx.Graph, root: nn.Module) -> list[Chain]:
    """The chains of a graph, none of which share a node."""
    layers = dict(root.named_modules())
    taken: set[fx.Node] = set()
    chains = []
    for starts in (_is_norm, _is_biased_convolution, lambda node, layers: True):
        for node in graph.nodes:
            if node in taken or node.op in ("placeholder", "output", "get_attr") or not starts(node, layers):
                continue
            chain = _grow(node, layers, taken)
            if chain is not None and chain.gains and _is_undisturbed(chain, graph):
                chains.append(chain)
                taken.update(chain.nodes)
    return chains


def replace_chains(graph: fx.Graph, chains: list[Chain]) -> list[fx.Node]:
    """Put one call of `fused.block` in place of each chain; the calls, in the order of the chains."""
    become: dict[fx.Node, fx.Node] = {}  # what one chain reads may be the end of another
    for chain in chains:
        last = chain.nodes[-1]
        with graph.inserting_before(last):
            residual = chain.residual
            arguments: dict[str, Any] = {"residual": None if residual is None else become.get(residual, residual)}
            for name, node in (
                ("convolution", chain.convolution),
                ("norm", chain.norm),
                ("activation_layer", chain.activation_node),
                ("pooling_layer", chain.pooling_node),
            ):
                is_layer = node is not None and node.op == "call_module"
                arguments[name] = graph.get_attr(str(node.target)) if is_layer and node is not None else None
            arguments["activation"] = None if chain.activation is None else tuple(chain.activation)
            arguments["pooling"] = None if chain.pooling is None else tuple(chain.pooling)
            call = graph.call_function(fused.block, (become.get(chain.source, chain.source),), arguments)
        become[last] = call
        last.replace_all_uses_with(call)
        for node in reversed(chain.nodes):
            graph.erase_node(node)
    return [become[chain.nodes[-1]] for chain in chains]


def _grow(first: fx.Node, layers: dict[str, nn.Module], taken: set[fx.Node]) -> Chain | None:
    if not first.args or not isinstance(first.args[0], fx.Node):
        return None
    chain = Chain(first.args[0])
    node: fx.Node | None = first
    if _is_norm(first, layers):
        chain.norm = first
    elif _is_biased_convolution(first, layers):
        chain.convolution = first
    else:
        node = None
        if not _take_tail(first, chain, layers):
            return None
        node = first
    assert node is not None
    chain.nodes.append(node)
    while (following := _only_user(node)) is not None and following not in taken:
        if not _take_tail(following, chain, layers, after=node):
            break
        chain.nodes.append(following)
        node = following
    return chain


def _take_tail(node: fx.Node, chain: Chain, layers: dict[str, nn.Module], after: fx.Node | None = None) -> bool:
    """Take `node` into the chain, if it is what may come next: an addition, an activation, a pooling."""
    layer = _layer(node, layers)
    if node.op == "call_module" and (layer is None or len(node.args) != 1 or node.kwargs):
        return False
    alone = chain.activation is None and chain.pooling is None
    if after is not None and alone and chain.residual is None and chain.convolution is None:
        other = _other_operand(node, after)
        if other is not None:
            chain.residual = other
            return True
    pooling = pooling_at(node, layer)
    if pooling is not None and chain.pooling is None:
        chain.pooling, chain.pooling_node = pooling, node
        return True
    activation = activation_at(node, layer)
    if activation is None or chain.activation is not None:
        return False
    # A maximum passes through ReLU: pooling first and activating then is the same.
    if chain.pooling is not None and not (chain.pooling.kind == "max" and activation.name == "relu"):
        return False
    chain.activation, chain.activation_node = activation, node
    return True


def _layer(node: fx.Node, layers: dict[str, nn.Module]) -> nn.Module | None:
    layer = layers.get(str(node.target)) if node.op == "call_module" else None
    return None if layer is None or has_hooks(layer) else layer


def _is_norm(node: fx.Node, layers: dict[str, nn.Module]) -> bool:
    return type(_layer(node, layers)) in NORMS and len(node.args) == 1


def _is_biased_convolution(node: fx.Node, layers: dict[str, nn.Module]) -> bool:
    layer = _layer(node, layers)
    return bool(convolution_axes(layer)) and getattr(layer, "bias", None) is not None and len(node.args) == 1


def _other_operand(node: fx.Node, mine: fx.Node) -> fx.Node | None:
    """What is added to `mine`, where the node adds two different tensors."""
    adds = node.op == "call_function" and node.target in ADDITIONS
    adds = adds or (node.op == "call_method" and node.target in ("add", "add_"))
    if not adds or len(node.args) != 2 or node.kwargs:
        return None
    others = [argument for argument in node.args if argument is not mine]
    return others[0] if len(others) == 1 and isinstance(others[0], fx.Node) else None


def _only_user(node: fx.Node) -> fx.Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None


def _is_undisturbed(chain: Chain, graph: fx.Graph) -> bool:
    """Whether no other node between the first and the last of the chain writes into a tensor.

    The chain is computed where its last node stood; what it reads must not have changed by then.
    """
    inside, members = False, set(chain.nodes)
    for node in graph.nodes:
        if node is chain.nodes[0]:
            inside = True
        if node is chain.nodes[-1]:
            return True
        if inside and node not in members and _writes(node):
            return False
    return True


def _writes(node: fx.Node) -> bool:
    if node.op == "call_method":
        return str(node.target).endswith("_") and not str(node.target).endswith("__")
    name = getattr(node.target, "__name__", "")
    in_place = node.op == "call_function" and (
        name.startswith("i") and getattr(node.target, "__module__", "") == "_operator"
    )
    return in_place or bool(node.kwargs.get("inplace")) or (name.endswith("_") and not name.endswith("__"))
