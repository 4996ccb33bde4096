"""`explain_optimization`: what `optimize` made of every layer, why not more, and what it gained."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn

from lenrek.errors import OptionError
from lenrek.kernels import library
from lenrek.optimization.convolution import is_depthwise
from lenrek.optimization.layers import NORMS, activation_at, convolution_axes, pooling_at
from lenrek.optimization.module import Optimized, optimize
from lenrek.optimization.nodes import ADAPTIVE_AVERAGES
from lenrek.optimization.rewrite import Rewrite, rewrite
from lenrek.optimization.timing import NodeTimes, inputs_of_parts, step_s
from lenrek.optimization.trace import UntraceableError, has_hooks, trace


@dataclass(frozen=True)
class Part:
    """What became of one layer or function, or of several that run as one.

    Attributes:
        names: of the layers in the network, or of functions as the graph numbers them.
        what: what runs now.
        fast: whether that is lenrek's.
        before_s, after_s: seconds forward and backward, in PyTorch as it comes and now; None where it has no such time.
    """

    names: tuple[str, ...]
    what: str
    fast: bool
    before_s: float | None = None
    after_s: float | None = None


@dataclass(frozen=True)
class Explanation:
    """Attributes:
    parts: in the order in which they run.
    before_s, after_s: seconds of a whole step (forward and backward) in PyTorch as it comes, and optimised.
    dtype: the type it was optimised for.
    """

    parts: tuple[Part, ...]
    before_s: float
    after_s: float
    dtype: torch.dtype

    def __str__(self) -> str:
        rows = [(", ".join(part.names), *map(_ms, (part.before_s, part.after_s)), part.what) for part in self.parts]
        total = f"{self.before_s / self.after_s:.2f}× as fast, in {str(self.dtype).removeprefix('torch.')}"
        rows = [
            ("layers", "before", "after", "what runs"),
            *rows,
            ("a step", *map(_ms, (self.before_s, self.after_s)), total),
        ]
        wide = [max(len(row[column]) for row in rows) for column in range(3)]
        lines = (f"{a:<{wide[0]}}  {b:>{wide[1]}}  {c:>{wide[2]}}  {what}" for a, b, c, what in rows)
        return "\n".join(lines)


def explain_optimization(model: nn.Module, *inputs: Any, dtype: torch.dtype = torch.bfloat16) -> Explanation:
    """What `optimize(model, dtype)` does, layer by layer: what runs as one, what stays and why, and the times.

    The times are the best of several, forward and backward, on these inputs: before, of PyTorch as it comes (float32
    and the default layout); after, of what runs now. Nothing of `model` changes.

    Args:
        model: as for `optimize`, in training or evaluation mode: the mode explained.
        inputs: what its forward takes.
        dtype: as for `optimize`.
    Raises:
        OptionError: no input.
    Example:
        >>> net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten())
        >>> parts = explain_optimization(net, torch.randn(2, 3, 8, 8)).parts
        >>> [part.names for part in parts if part.fast] in ([("1", "2")], [])  # [] without compiled kernels
        True
    """
    if not inputs:
        raise OptionError(
            "explain_optimization: no inputs, expected what the model's forward takes: the times need them."
        )
    plain = copy.deepcopy(model.plain() if isinstance(model, Optimized) else model)
    fast = optimize(copy.deepcopy(plain), dtype)
    before_s, after_s = step_s(plain, inputs), step_s(fast, inputs)
    parts = _parts(plain, inputs, dtype, "")
    return Explanation(tuple(parts), before_s, after_s, dtype)


def _parts(module: nn.Module, inputs: tuple[Any, ...], dtype: torch.dtype, prefix: str) -> list[Part]:
    """Of a module and what it is called with."""
    where = prefix.removesuffix(".") or "the network"
    if not library.available():
        return [Part((where,), "PyTorch's: there are no compiled kernels", False)]
    try:
        fast = rewrite(module)
    except UntraceableError as error:
        found = [Part((where,), f"part by part: {error}", False)]
        children = {name: child for name, child in module.named_children() if next(child.children(), None) is not None}
        for name, given in inputs_of_parts(module, inputs, children).items():
            found += _parts(children[name], given, dtype, f"{prefix}{name}.")
        return found
    plain = NodeTimes(module, trace(module)[0])
    plain.run(*inputs)
    now = NodeTimes(module, fast.graph, dtype)
    now.run(*inputs)
    found = []
    for node in fast.graph.nodes:
        part = _part(node, module, fast, plain, now)
        if part is not None:
            found.append(Part(tuple(prefix + name for name in part.names), *list(vars(part).values())[1:]))
        if node.op == "call_module" and node.target in fast.closed:
            found += _parts(module.get_submodule(node.target), plain.given[node.name], dtype, f"{prefix}{node.target}.")
    return found


def _part(node: fx.Node, module: nn.Module, fast: Rewrite, plain: NodeTimes, now: NodeTimes) -> Part | None:
    """Of one node of the rewritten graph; None for what computes nothing."""
    after_s = now.seconds.get(node.name)
    if node in fast.chains:
        chain = fast.chains[node]
        before = [plain.seconds.get(origin.name) for origin in chain.nodes]
        before_s = sum(s for s in before if s is not None)
        return Part(tuple(map(_name, chain.nodes)), f"one pass: {chain}", True, before_s, after_s)
    if node in fast.single:
        origin = fast.single[node]
        layer = module.get_submodule(str(origin.target))
        return Part((_name(origin),), _single(layer), True, plain.seconds.get(origin.name), after_s)
    if after_s is None or node.op not in ("call_module", "call_function", "call_method"):
        return None
    return Part((_name(node),), _why(node, module, fast), False, plain.seconds.get(node.name), after_s)


def _single(layer: Any) -> str:
    """What runs in place of a layer that is replaced alone."""
    if not convolution_axes(layer):
        return "lenrek's average" if type(layer) in ADAPTIVE_AVERAGES else "lenrek's padding, channels-last"
    if is_depthwise(layer):
        return "lenrek's depthwise kernels"
    return f"PyTorch's convolution{' of images' if convolution_axes(layer) == 1 else ''}, channels-last"


def _why(node: fx.Node, module: nn.Module, fast: Rewrite) -> str:
    """Why a node was left to PyTorch."""
    layer = module.get_submodule(str(node.target)) if node.op == "call_module" else None
    if layer is not None and has_hooks(layer):
        return "PyTorch's: it has hooks"
    if node.op == "call_module" and node.target in fast.closed:
        return f"part by part: {fast.closed[str(node.target)]}"
    if convolution_axes(layer):
        return "PyTorch's convolution, channels-last"
    if type(layer) in NORMS:
        return "PyTorch's: what it reads is written to before the end of its chain"
    if activation_at(node, layer) is not None:
        return "PyTorch's: neither a norm before it nor a pooling after it that it could run with"
    if pooling_at(node, layer) is not None:
        return "PyTorch's: what it reads is written to before the end of its chain"
    return "PyTorch's"


def _name(node: fx.Node) -> str:
    return str(node.target) if node.op == "call_module" else node.name


def _ms(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1e3:.2f} ms"
