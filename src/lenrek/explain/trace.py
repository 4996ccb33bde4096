"""A network's forward pass as the list of the operators that it runs, found by running it without computing anything.

Tensors on PyTorch's meta device have a shape and no values. Whatever the network's code does with them (functional
calls, branches, loops, modules used twice, any library's layers) ends in operators, which are watched as they pass.
Nothing is guessed from the types of modules, the network itself is neither copied nor changed, and what it costs does
not depend on the size of the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._pytree import tree_map

from lenrek.explain.record import Trace, TraceError
from lenrek.explain.watch import Watch


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
    watch = Watch(model)
    given, named = tree_map(watch.as_input, (tuple(inputs), kwargs or {}))
    try:
        with (
            torch.set_grad_enabled(gradients),
            torch.compiler.set_stance("force_eager"),
            _hooks_of_all_modules(watch.enter, watch.leave),
            watch,
        ):
            model(*given, **named)
    except Exception as error:  # of the model's own code: anything at all
        raise TraceError(f"{who}: {watch.where_it_stopped(error)}", watch.trace) from error
    return watch.trace


@contextmanager
def _hooks_of_all_modules(enter: Callable[..., None], leave: Callable[..., None]) -> Iterator[None]:
    before, after = register_module_forward_pre_hook(enter), register_module_forward_hook(leave)
    try:
        yield
    finally:
        before.remove()
        after.remove()
