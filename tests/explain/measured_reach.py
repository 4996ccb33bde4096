"""Which inputs the outputs of a network's layers depend on, measured: the oracle of the receptive fields' tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

Reached = dict[str, Tensor]  # by layer → (positions of the input, *output): whether one reaches the other


def prepared(model: nn.Module) -> nn.Module:
    """In float64, with positive random weights, so that nothing cancels and no rectifier is dead."""
    torch.manual_seed(0)
    model = model.double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(0.1, 1.0)
            if parameter.ndim > 1:
                parameter /= max(parameter[0].numel(), 1)  # what flows stays of the order of one
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.zero_()
            elif name.endswith("running_var"):
                buffer.fill_(1.0)
    return model


def by_not_a_number(model: nn.Module, shape: tuple[int, ...], axis: int) -> Reached:
    """By NaN at one position of an axis of the input, everywhere else along the other axes.

    Goes through maxima and all that looks at all of its inputs; and through weights that are zero.
    """
    model, x = prepared(model), torch.rand(1, *shape, dtype=torch.float64) + 0.5

    def run(position: int) -> Reached:
        marked = x.clone()
        marked.select(axis, position).fill_(float("nan"))
        with torch.no_grad():
            return _outputs(model, marked, torch.isnan)

    return _stacked([run(position) for position in range(x.shape[axis])])


def by_gradient(model: nn.Module, shape: tuple[int, ...], axis: int) -> Reached:
    """By forward derivatives: whether moving the inputs at one position of an axis moves an output."""
    model, x = prepared(model), torch.rand(1, *shape, dtype=torch.float64) + 0.5

    def run(position: int) -> Reached:
        direction = torch.zeros_like(x)
        direction.select(axis, position).uniform_(0.5, 1.0)
        with torch.autograd.forward_ad.dual_level():
            dual = torch.autograd.forward_ad.make_dual(x, direction)
            return _outputs(model, dual, _moves)

    return _stacked([run(position) for position in range(x.shape[axis])])


def ends(reached: Tensor) -> tuple[Tensor, Tensor]:
    """First and last position that reaches each output; −1 and −1 where none does."""
    at_all = reached.any(0)
    first = torch.where(at_all, reached.int().argmax(0), -1)
    last = torch.where(at_all, len(reached) - 1 - reached.flip(0).int().argmax(0), -1)
    return first, last


def _moves(output: Tensor) -> Tensor:
    tangent = torch.autograd.forward_ad.unpack_dual(output).tangent
    return torch.zeros_like(output, dtype=torch.bool) if tangent is None else tangent != 0


def _outputs(model: nn.Module, x: Tensor, look: Callable[[Tensor], Tensor]) -> Reached:
    """What `look` sees of the first tensor that each module returns, in its first run."""
    found: Reached = {}

    def hook(path: str) -> Callable[[nn.Module, Any, Any], None]:
        def seen(module: nn.Module, given: Any, output: Any) -> None:
            while not isinstance(output, Tensor):
                output = next(iter(output.values() if isinstance(output, dict) else output))
            if path not in found:
                found[path] = look(output).clone()

        return seen

    handles = [module.register_forward_hook(hook(path)) for path, module in model.named_modules()]
    try:
        model(x)
    finally:
        for handle in handles:
            handle.remove()
    return found


def _stacked(runs: list[Reached]) -> Reached:
    return {path: torch.stack([run[path] for run in runs]) for path in runs[0]}
