"""A network's forward pass as the list of the operators that it runs, found by running it without computing anything.

Tensors on PyTorch's meta device have a shape and no values. Whatever the network's code does with them (functional
calls, branches, loops, modules used twice, any library's layers) ends in operators, which are watched as they pass.
Nothing is guessed from the types of modules, the network itself is neither copied nor changed, and what it costs does
not depend on the size of the batch.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils._pytree import tree_map

from lenrek.explain.record import Trace, TraceError
from lenrek.explain.watch import Watch

RECURRENT = {
    torch.lstm, torch.gru, torch.rnn_tanh, torch.rnn_relu,
    torch.lstm_cell, torch.gru_cell, torch.rnn_tanh_cell, torch.rnn_relu_cell,
}  # fmt: skip


def trace(
    model: nn.Module,
    inputs: Sequence[Any],
    *,
    kwargs: dict[str, Any] | None = None,
    gradients: bool = False,
    who: str = "trace",
) -> Trace:
    """Run `model(*inputs)` without computing, in the mode (training or evaluation) in which it is.

    Args:
        inputs, kwargs: what `forward` takes; of tensors only shape and type are used.
        gradients: record as in training, where what the gradient will need stays alive.
        who: the public function that asks, for its error messages.
    Raises:
        TraceError: the forward pass failed, or asks for values, which do not exist; its `trace` is what ran before.
    Example:
        >>> found = trace(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()), [torch.empty(1, 3, 8, 8)])
        >>> [(call.path, call.name, call.outputs[0].shape) for call in found.calls]
        [('0', 'aten.convolution', (1, 8, 6, 6)), ('1', 'aten.relu', (1, 8, 6, 6))]
    """
    watch = Watch(model, gradients)
    given, named = tree_map(watch.as_input, (tuple(inputs), kwargs or {}))
    try:
        with (
            torch.set_grad_enabled(gradients),
            _nothing_compiled(),
            _hooks_of_all_modules(watch.enter, watch.leave),
            _Recurrent(watch),
            watch,
        ):
            outputs = model(*given, **named)
            watch.trace.kept = watch.still_alive()
            del outputs
    except Exception as error:  # of the model's own code: anything at all
        raise TraceError(f"{who}: {watch.where_it_stopped(error)}", watch.trace) from error
    return watch.trace


def _nothing_compiled() -> AbstractContextManager[None]:
    """Networks under `torch.compile` run as they were written; loading the compiler to say so takes a second."""
    return torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext()


class _Recurrent(TorchFunctionMode):
    """Gives PyTorch's recurrent functions parameters without values: they compare devices before any operator runs."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in RECURRENT:
            with _disable_current_modes():
                args, kwargs = tree_map(self._watch.without_values, (args, kwargs))
        return func(*args, **(kwargs or {}))


@contextmanager
def _hooks_of_all_modules(enter: Callable[..., None], leave: Callable[..., None]) -> Iterator[None]:
    before, after = register_module_forward_pre_hook(enter), register_module_forward_hook(leave)
    try:
        yield
    finally:
        before.remove()
        after.remove()
