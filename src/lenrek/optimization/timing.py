"""How long each node of a graph takes, forward and backward, on the values that reach it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils._pytree import tree_flatten, tree_map

from lenrek.kernels.layout import dense

TURNS = 3


class NodeTimes(fx.Interpreter):
    """Runs a graph node by node and times each.

    Attributes:
        seconds: by the node's name, the best of some turns forward and backward; of nodes that make a tensor.
        given: by the node's name, what it was called with.
    """

    def __init__(self, module: nn.Module, graph: fx.Graph, dtype: torch.dtype | None = None) -> None:
        """dtype: as for `optimize`, with its memory layout; None: PyTorch as it comes."""
        super().__init__(fx.GraphModule(module, graph))
        self._dtype = dtype
        self.seconds: dict[str, float] = {}
        self.given: dict[str, tuple[Any, ...]] = {}

    def run_node(self, n: fx.Node) -> Any:
        if n.op == "placeholder":
            value = super().run_node(n)
            return dense(value) if self._dtype and isinstance(value, Tensor) and 3 <= value.ndim <= 5 else value
        if n.op in ("get_attr", "output"):
            return super().run_node(n)
        arguments, options = self.fetch_args_kwargs_from_env(n)
        self.given[n.name] = arguments
        result, best = None, float("inf")
        for _ in range(TURNS):
            given = tree_map(_leaf, (arguments, options))
            with self._autocast(), torch.enable_grad():
                start = time.perf_counter()
                result = getattr(self, n.op)(n.target, *given)
                outputs = [t for t in tree_flatten(result)[0] if isinstance(t, Tensor)]
                forward_s = time.perf_counter() - start
            best = min(best, forward_s + _backward_s(outputs))
        if outputs:
            self.seconds[n.name] = best
        return tree_map(lambda value: value.detach() if isinstance(value, Tensor) else value, result)

    def _autocast(self) -> Any:
        narrow = self._dtype not in (None, torch.float32)
        return torch.autocast("cpu", self._dtype) if narrow else nullcontext()


def _leaf(value: Any) -> Any:
    """A tensor of its own that takes part in the backward pass, and may be written to."""
    if not isinstance(value, Tensor):
        return value
    value = value.detach()
    return value.requires_grad_().clone() if value.is_floating_point() else value.clone()


def _backward_s(outputs: list[Tensor]) -> float:
    wanted = [y for y in outputs if y.requires_grad]
    gradients = [torch.ones_like(y) for y in wanted]
    start = time.perf_counter()
    if wanted:
        torch.autograd.backward(wanted, gradients)
    return time.perf_counter() - start


def step_s(module: nn.Module, inputs: tuple[Any, ...]) -> float:
    """The best seconds of a forward and a backward pass."""
    best = float("inf")
    for _ in range(TURNS + 1):  # the first traces and builds
        start = time.perf_counter()
        outputs = [t for t in tree_flatten(module(*inputs))[0] if isinstance(t, Tensor)]
        forward_s = time.perf_counter() - start
        best = min(best, forward_s + _backward_s(outputs))
        module.zero_grad(set_to_none=True)
    return best


def inputs_of_parts(
    module: nn.Module, inputs: tuple[Any, ...], parts: Mapping[str, nn.Module]
) -> dict[str, tuple[Any, ...]]:
    """What each of the parts is first called with when the module runs; those that are not called are left out."""
    found: dict[str, tuple[Any, ...]] = {}
    hooks = []
    for name, part in parts.items():

        def keep(_: nn.Module, given: tuple[Any, ...], name: str = name) -> None:
            found.setdefault(name, tree_map(lambda v: v.detach() if isinstance(v, Tensor) else v, given))

        hooks.append(part.register_forward_pre_hook(keep))
    try:
        with torch.no_grad():
            module(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return found
