"""A network's forward pass as a graph in which everything that has a faster equal is replaced."""

from __future__ import annotations

from dataclasses import dataclass

from torch import fx, nn

from lenrek.optimization.match import Chain, find_chains, replace_chains
from lenrek.optimization.nodes import replace_nodes
from lenrek.optimization.trace import trace


@dataclass
class Rewrite:
    """
    Attributes:
        graph: the graph, rewritten.
        chains: its calls that stand for several nodes, and for which.
        single: its calls that stand for one node, and for which.
        gone_into: modules whose hooks the graph bypasses.
        closed: by name, modules that have no graph of their own and are called as they are, and why.
    """

    graph: fx.Graph
    chains: dict[fx.Node, Chain]
    single: dict[fx.Node, fx.Node]
    gone_into: list[nn.Module]
    closed: dict[str, str]


def rewrite(module: nn.Module) -> Rewrite:
    """The module's forward pass as its `training` flags now are.

    Raises:
        UntraceableError: it has no graph that can be trusted.
    """
    graph, gone_into, closed = trace(module)
    chains = find_chains(graph, module)
    calls = replace_chains(graph, chains)
    single = replace_nodes(graph, module)
    graph.lint()
    return Rewrite(graph, dict(zip(calls, chains, strict=True)), single, gone_into, closed)
