"""`optimize`: the same network with its forward pass on the fast paths."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, fx, nn

from lenrek.errors import OptionError
from lenrek.kernels import library
from lenrek.kernels.layout import dense
from lenrek.optimization.gpu import Compiled
from lenrek.optimization.match import Chain
from lenrek.optimization.memory import keep_memory
from lenrek.optimization.rewrite import rewrite
from lenrek.optimization.trace import UntraceableError, has_hooks

Network = TypeVar("Network", bound=nn.Module)
CPU, GPU = "cpu", "cuda"
TYPES = (torch.float32, torch.bfloat16)
_MOST_FORWARDS = 64  # ways to have training flags set that are kept


def optimize(model: Network, dtype: torch.dtype = torch.bfloat16, *, keep_memory_mapped: bool = True) -> Network:
    """The same network, several times faster on a CPU: in training as in evaluation, in the loop you already have.

    Layers between convolutions (batch norm, addition, activation, pooling) become one pass over memory, forward and
    backward; depthwise convolutions run on kernels of our own, all others channels-last, in `dtype`. The result is a
    new module of the same class that shares the parameters and buffers of `model`: state-dict keys, optimisers,
    checkpoints, hooks, `requires_grad`, deepcopy, pickle and DistributedDataParallel work as before. Whatever is not
    proven equal is left as it was; see `explain_optimization`. On a GPU it is `torch.compile`, channels-last.

    Args:
        model: any module; it stays as it is.
        dtype: `torch.bfloat16`: convolutions and matrix products as under `torch.autocast`; norms, losses and sums stay
            in float32. `torch.float32`: nothing is rounded.
        keep_memory_mapped: see `lenrek.optimization.memory.keep_memory`; it applies to the whole process.
    Returns:
        A module that takes and returns the types `model` does.
    Raises:
        OptionError: no module, or another type.
    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
        >>> fast = optimize(net, torch.float32)
        >>> x = torch.randn(8, 1, 12, 12)
        >>> bool(torch.allclose(fast(x), net(x), atol=1e-5)), list(fast.state_dict()) == list(net.state_dict())
        (True, True)
    """
    if not isinstance(model, nn.Module):
        raise OptionError(f"optimize: model is {type(model).__name__}, expected a torch.nn.Module.")
    if dtype not in TYPES:
        raise OptionError(f"optimize: dtype is {dtype}, expected one of {', '.join(map(str, TYPES))}.")
    if isinstance(model, Optimized):
        model = model.plain()
    if keep_memory_mapped:
        keep_memory()
    fast = cast(Network, _shared_copy(model, {}))
    _become_fast(fast, dtype)
    return fast


class Optimized:
    """What `optimize` adds to a module's class: a forward pass on the fast paths."""

    _lenrek_dtype: torch.dtype | None  # None inside another optimised module, which sees to types and layout
    _lenrek_forwards: dict[tuple[bool, ...], _Forward]
    _lenrek_on_gpu: Callable[..., Any]

    def forward(self, *inputs: Any, **options: Any) -> Any:
        if self._lenrek_dtype is None:
            return self._lenrek_run(*inputs, **options)
        tensors = [value for value in (*inputs, *options.values()) if isinstance(value, Tensor)]
        devices = {tensor.device.type for tensor in tensors}
        if devices not in ({CPU}, {GPU}):
            return super().forward(*inputs, **options)  # type: ignore[misc]
        run = self._lenrek_run if devices == {CPU} else self._lenrek_on_gpu
        inputs = tuple(map(_channels_last, inputs))
        options = {name: _channels_last(value) for name, value in options.items()}
        if self._lenrek_dtype == torch.float32:
            return run(*inputs, **options)
        with torch.autocast(tensors[0].device.type, self._lenrek_dtype):
            result = run(*inputs, **options)
        wide = not any(tensor.dtype == self._lenrek_dtype for tensor in tensors)
        return _widened(result, self._lenrek_dtype) if wide else result

    def _lenrek_run(self, *inputs: Any, **options: Any) -> Any:
        modules = self.modules()  # type: ignore[attr-defined]
        flags = tuple(module.training for module in modules)
        forward = self._lenrek_forwards.get(flags)
        if forward is None:
            if len(self._lenrek_forwards) >= _MOST_FORWARDS:
                self._lenrek_forwards.clear()
            forward = self._lenrek_forwards[flags] = _build(self)  # type: ignore[arg-type]
        if forward.run is None or any(map(has_hooks, forward.gone_into)):
            return super().forward(*inputs, **options)  # type: ignore[misc]
        return forward.run(self, *inputs, **options)

    def plain(self) -> nn.Module:
        """The network without the fast paths, sharing everything."""
        copy = _shared_copy(self, {})  # type: ignore[arg-type]
        for module in copy.modules():
            if isinstance(module, Optimized):
                for name in ("_lenrek_dtype", "_lenrek_forwards", "_lenrek_on_gpu"):
                    module.__dict__.pop(name, None)
                module.__class__ = type(module).__bases__[1]
        return copy

    def __reduce_ex__(self, protocol: Any) -> Any:
        return optimize, (self.plain(), self._lenrek_dtype or torch.float32)


class _Forward:
    """How to run a forward pass for one setting of the training flags.

    Attributes:
        run: the graph as a function of the module and its inputs; None where there is none, or none that is faster.
        chains: what was fused.
        gone_into: modules whose hooks the graph would bypass.
    """

    def __init__(
        self, run: Callable[..., Any] | None, chains: Iterable[Chain] = (), gone_into: Iterable[nn.Module] = ()
    ):
        self.run, self.chains, self.gone_into = run, tuple(chains), tuple(gone_into)


def _build(module: nn.Module) -> _Forward:
    """Trace with the original forward; where that fails, make the children fast, each on its own."""
    if not library.available():
        return _Forward(None)
    fast_class, module.__class__ = type(module), type(module).__bases__[1]
    try:
        fast = rewrite(module)
    except UntraceableError:
        for child in module.children():
            if not isinstance(child, Optimized) and next(child.children(), None) is not None:
                _become_fast(child, None)
        return _Forward(None)
    finally:
        module.__class__ = fast_class
    for part in map(module.get_submodule, fast.closed):
        if not isinstance(part, Optimized):  # in another mode it was
            _become_fast(part, None)
    if not fast.chains and not fast.single:
        return _Forward(None)
    return _Forward(_compiled(fast.graph), fast.chains.values(), fast.gone_into)


def _compiled(graph: fx.Graph) -> Callable[..., Any]:
    """The graph as a Python function; it finds the layers by their names in the module it is given."""
    code = graph.python_code("self")
    names = dict(code.globals)
    exec(compile(code.src, "<lenrek.optimize>", "exec"), names)  # source that torch.fx wrote
    return names["forward"]


def _become_fast(module: nn.Module, dtype: torch.dtype | None) -> None:
    """`dtype` is that of a whole network; None for a part of one, which is fast on CPUs only."""
    original = type(module)
    module.__class__ = type(original.__name__, (Optimized, original), {"__module__": original.__module__})
    module.__dict__["_lenrek_dtype"], module.__dict__["_lenrek_forwards"] = dtype, {}
    if dtype is not None:
        module.__dict__["_lenrek_on_gpu"] = Compiled(partial(original.forward, module))


def _shared_copy(module: nn.Module, copies: dict[int, nn.Module]) -> nn.Module:
    """Modules of their own, down to the last, that hold the very parameters and buffers of `module`."""
    if id(module) in copies:
        return copies[id(module)]
    # Not the class's own __new__: torch.fx's makes another class, without the graph's forward.
    copy = copies[id(module)] = object.__new__(module.__class__)
    for name, value in vars(module).items():
        copy.__dict__[name] = value.copy() if isinstance(value, dict) else value
    for name, child in module._modules.items():
        copy._modules[name] = None if child is None else _shared_copy(child, copies)
    return copy


def _channels_last(value: Any) -> Any:
    if isinstance(value, Tensor) and value.is_floating_point() and 3 <= value.ndim <= 5:
        return dense(value)
    return value


def _widened(result: Any, dtype: torch.dtype) -> Any:
    """float32 where autocast left `dtype`: losses outside see what they would see without it."""
    if isinstance(result, Tensor):
        return result.float() if result.dtype == dtype else result
    if isinstance(result, tuple) and hasattr(result, "_fields"):
        return type(result)(*(_widened(value, dtype) for value in result))
    if isinstance(result, tuple | list):
        return type(result)(_widened(value, dtype) for value in result)
    if isinstance(result, dict):
        return {name: _widened(value, dtype) for name, value in result.items()}
    return result
