"""A network in two: what is frozen, and what is trained on what the frozen part computes."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from torch import fx, nn

from lenrek.data.shown import few
from lenrek.errors import ModelError
from lenrek.ops.mode import in_mode
from lenrek.optimization.trace import UntraceableError, trace

WHO = "freeze"


@dataclass(frozen=True)
class Cut:
    """Two networks that, one after the other, are the whole; they share its layers.

    Attributes:
        body: from the input up to the cut.
        rest: from there to the class scores.
    """

    body: nn.Module
    rest: nn.Module


def cut_before(network: nn.Module, layer: str) -> Cut:
    """`network` in two, `layer` (which runs once) being the first of the rest."""
    graph = _graph(network)
    (node,) = [n for n in graph.nodes if n.op == "call_module" and n.target == layer]
    return _cut(network, graph, node.all_input_nodes[0], f"the input of {layer}")


def cut_after(network: nn.Module, layer: str) -> Cut:
    """`network` in two, `layer` being the last of the body.

    Raises:
        ModelError: no such layer, or its output is not all that the rest needs of what was computed before.
    Example:
        >>> net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
        >>> cut = cut_after(net, "1")
        >>> [name for name, _ in cut.rest.named_parameters()]
        ['2.weight', '2.bias']
    """
    names = [name for name, _ in network.named_modules() if name]
    if layer not in names:
        near = difflib.get_close_matches(layer, names, n=3)
        hint = f"did you mean {few(near)}?" if near else f"the first are {few(names)}."
        raise ModelError(f"{WHO}: the network has no layer {layer!r}.\n  Hint: {hint}")
    graph = _graph(network)
    inside = [n for n in graph.nodes if n.op not in ("placeholder", "output", "get_attr") and _belongs(n, layer)]
    if not inside:
        raise ModelError(f"{WHO}: layer {layer} does not run.")
    return _cut(network, graph, inside[-1], layer)


def _belongs(node: fx.Node, layer: str) -> bool:
    names = [name for name, _ in (node.meta.get("nn_module_stack") or {}).values()]
    return any(name == layer or name.startswith(f"{layer}.") for name in [*names, str(node.target)])


def _graph(network: nn.Module) -> fx.Graph:
    """The forward pass, which must be the same operators in training and in evaluation."""
    try:
        with in_mode(network, training=False):
            graph, _, _ = trace(network)
        with in_mode(network, training=True):
            other, _, _ = trace(network)
    except UntraceableError as error:
        raise ModelError(f"{WHO}: the network cannot be cut in two: {error}.") from error
    if str(graph) != str(other):
        raise ModelError(
            f"{WHO}: the network runs other operators in training than in evaluation, so it cannot be cut in two.\n"
            "  Hint: write dropout as a layer, nn.Dropout, not as a function."
        )
    return graph


def _cut(network: nn.Module, graph: fx.Graph, at: fx.Node, what: str) -> Cut:
    before = _ancestors(at)
    crossing = {
        source.name: source
        for node in graph.nodes
        if node not in before
        for source in node.all_input_nodes
        if source in before and source.op != "get_attr"
    }
    crossing.pop(at.name, None)
    if crossing:
        raise ModelError(
            f"{WHO}: what comes after {what} also needs {few(sorted(crossing))}, so the network cannot be cut there.\n"
            "  Hint: name a layer that everything passes through, such as a whole block or stage."
        )
    return Cut(_part(network, graph, before, at, first=True), _part(network, graph, before, at, first=False))


def _part(network: nn.Module, graph: fx.Graph, before: set[fx.Node], at: fx.Node, *, first: bool) -> nn.Module:
    """The nodes of one side as a module; the cut is its output or its input."""
    part, copied = fx.Graph(), {}
    if not first:
        copied[at] = part.placeholder("features")
    for node in graph.nodes:
        read_here = node.op == "get_attr" and any((user in before) == first for user in node.users)
        if read_here or ((node in before) == first and node not in copied):
            copied[node] = part.node_copy(node, copied.__getitem__)
    if first:
        part.output(copied[at])
    return fx.GraphModule(network, part)


def _ancestors(node: fx.Node) -> set[fx.Node]:
    found, waiting = set(), [node]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting.extend(one.all_input_nodes)
    return found
