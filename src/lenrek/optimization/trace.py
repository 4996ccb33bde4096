"""A network's forward pass as a graph, or the reason why it has none that can be trusted."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import fx, nn

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class UntraceableError(Exception):
    """Why a forward pass cannot be replaced by a graph."""


class _Tracer(fx.Tracer):
    """Goes into every module but PyTorch's own layers, those whose hooks a graph would bypass, and `closed` ones."""

    def __init__(self, closed: set[str]) -> None:
        super().__init__()
        self.closed, self.modes = closed, _modes()

    def is_leaf_module(self, module: nn.Module, qualified_name: str) -> bool:
        return qualified_name in self.closed or has_hooks(module) or super().is_leaf_module(module, qualified_name)

    def create_arg(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor) and not isinstance(value, nn.Parameter):
            known = {id(buffer) for buffer in self.root.buffers()}
            if id(value) not in known:
                raise UntraceableError("its forward makes a tensor that does not depend on the input")
        return super().create_arg(value)

    def create_node(self, *details: Any, **more: Any) -> fx.Node:
        if _modes() != self.modes:  # no_grad, autocast: a graph would forget them
            raise UntraceableError("its forward switches gradients or autocast for a part of it")
        return super().create_node(*details, **more)


def trace(module: nn.Module, kept: Collection[str] = ()) -> tuple[fx.Graph, list[nn.Module], dict[str, str]]:
    """The graph of `module.forward` as its `training` flags now are.

    Args:
        kept: names of modules that are called in one piece.
    Returns:
        The graph; the modules that were gone into, whose hooks it would bypass; and by name the modules that have no
        graph of their own and are called as they are, with the reason.
    Raises:
        UntraceableError: the forward pass of `module` itself has control flow that depends on values, or draws random
            numbers or counts, which a graph would freeze.
    """
    closed: dict[str, str] = {}
    try:
        graph = _trace(module, set(kept))
    except UntraceableError:
        closed = _untraceable_parts(module)
        if not closed:
            raise
        graph = _trace(module, {*closed, *kept})
    called = {node.target for node in graph.nodes if node.op == "call_module"}
    gone_into = [m for name, m in module.named_modules() if name and not _inside(name, called)]
    return graph, gone_into, closed


def _untraceable_parts(module: nn.Module) -> dict[str, str]:
    """The smallest parts of a module that cannot be traced, and why."""
    found: dict[str, str] = {}
    for name, child in module.named_children():
        if fx.Tracer().is_leaf_module(child, name):
            continue
        try:
            _trace(child, set())
        except UntraceableError as error:
            inner = _untraceable_parts(child)
            found |= {f"{name}.{part}": reason for part, reason in inner.items()} or {name: str(error)}
    return found


def _trace(module: nn.Module, closed: set[str]) -> fx.Graph:
    """One attempt, after which the module and the random numbers are as before."""
    attributes = _attributes(module)
    try:
        with _random_numbers_kept() as drawn, _no_custom_gradients():
            graph = _Tracer(closed).trace(module)
    except UntraceableError:
        raise
    except Exception as error:  # of the user's own forward, run on symbols: anything at all
        raise UntraceableError(f"{type(error).__name__}: {str(error).partition(chr(10))[0]}") from error
    finally:
        counted = _attributes(module) != attributes
        for part, plain in zip(module.modules(), attributes, strict=True):
            vars(part).update(plain)
    if drawn():
        raise UntraceableError("its forward draws random numbers outside PyTorch's layers")
    if counted:
        raise UntraceableError("its forward changes attributes of the module")
    return graph


def has_hooks(module: nn.Module) -> bool:
    return any(getattr(module, name) for name in _HOOKS)


def _inside(name: str, leaves: set[Any]) -> bool:
    """Whether the module is one that the graph calls, or a part of it."""
    parts = name.split(".")
    return any(".".join(parts[:n]) in leaves for n in range(1, len(parts) + 1))


@contextmanager
def _random_numbers_kept() -> Iterator[Any]:
    """Put every generator back as it was; yields a function that tells, afterwards, whether one was used."""
    torchs, pythons = torch.get_rng_state(), random.getstate()
    numpys: Any = np.random.get_state()
    used = False
    try:
        yield lambda: used
    finally:
        now: Any = np.random.get_state()
        used = not torch.equal(torch.get_rng_state(), torchs) or random.getstate() != pythons
        used = used or now[2:] != numpys[2:] or not np.array_equal(now[1], numpys[1])
        torch.set_rng_state(torchs)
        random.setstate(pythons)
        np.random.set_state(numpys)


@contextmanager
def _no_custom_gradients() -> Iterator[None]:
    """Refuse functions with a gradient of their own, checkpointing among them: a graph would only see their forward."""

    def refuse(cls: type, *_: Any, **__: Any) -> None:
        raise UntraceableError(f"its forward calls {cls.__name__}, which has a gradient of its own")

    def refuse_checkpoint(*_: Any, **__: Any) -> None:
        raise UntraceableError("its forward uses gradient checkpointing")

    import torch.utils.checkpoint as checkpointing

    apply = vars(torch.autograd.Function)["apply"]  # the class method itself, not bound to one class
    generator = checkpointing._checkpoint_without_reentrant_generator
    torch.autograd.Function.apply = classmethod(refuse)  # type: ignore[assignment,method-assign]
    checkpointing._checkpoint_without_reentrant_generator = refuse_checkpoint
    try:
        yield
    finally:
        torch.autograd.Function.apply = apply  # type: ignore[method-assign]
        checkpointing._checkpoint_without_reentrant_generator = generator


def _modes() -> tuple[Any, ...]:
    return (
        torch.is_grad_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.get_autocast_dtype("cpu"),
        torch.is_inference_mode_enabled(),
    )


def _attributes(module: nn.Module) -> list[dict[str, Any]]:
    """Plain attributes of all modules: what a forward pass could count or switch."""
    plain = (bool, int, float, str, type(None))
    return [{k: v for k, v in vars(m).items() if isinstance(v, plain)} for m in module.modules()]
