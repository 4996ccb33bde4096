"""A forward pass that stops at a layer's output, and goes on from there with gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lenrek.errors import ModelError
from lenrek.explain.evidence.network import scores_of
from lenrek.explain.layer_outputs import find_run


def run_from(network: nn.Module, x: Tensor, layer: str, who: str) -> tuple[Tensor, Tensor]:
    """What `layer` returns, as a leaf that requires a gradient, and the scores computed from it.

    Nothing before the layer is kept for gradients.

    Args:
        layer: a module's path; with "#2" its second run.
    Returns:
        ((batch, channels, *map_size), (batch, classes)).
    Raises:
        ModelError: no such layer, or one that does not run or returns no map.
    """
    module, wanted = find_run(network, layer, who)
    maps: list[Tensor] = []
    runs = 0

    def take(module: nn.Module, args: Any, output: Any) -> Any:
        nonlocal runs
        runs += 1
        if runs != wanted:
            return None
        maps.append(_checked(output, x, layer, who).detach().clone())  # what follows may write into the output
        maps[0].requires_grad_()
        torch.set_grad_enabled(True)
        return maps[0].clone()

    handle = module.register_forward_hook(take)
    try:
        with torch.no_grad():
            scores = scores_of(network, x, who)
    finally:
        handle.remove()
    if not maps:
        again = f" so often (it ran {runs} times)" if runs else ""
        raise ModelError(f"{who}: layer {layer!r} did not run{again}, so that it has no output.")
    return maps[0], scores


def gradient_at(maps: Tensor, scores: Tensor, target: Tensor, layer: str, who: str) -> Tensor:
    """∂score/∂maps for each sample's class, in the type of the scores.

    Raises:
        ModelError: the scores do not depend on the layer.
    """
    chosen = scores.gather(1, target[:, None]).sum()
    try:
        (gradient,) = torch.autograd.grad(chosen, maps, allow_unused=True) if chosen.requires_grad else (None,)
    except RuntimeError as error:  # a module that writes over what its neighbour's gradient needs
        raise ModelError(f"{who}: the network cannot be differentiated: {str(error).partition(': [')[0]}.") from error
    if gradient is None:
        raise ModelError(
            f"{who}: no score of the network depends on layer {layer!r} by a way that has a gradient.\n"
            "  Hint: name another layer; occlusion needs no gradient."
        )
    return gradient.to(scores.dtype)


def _checked(output: Any, x: Tensor, layer: str, who: str) -> Tensor:
    if isinstance(output, Tensor) and output.ndim == x.ndim and len(output) == len(x) and output.is_floating_point():
        return output
    found = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else f"type {type(output).__name__}"
    raise ModelError(
        f"{who}: the output of layer {layer!r} is of {found}, expected ({len(x)}, channels, *size) with {x.ndim - 2} "
        "axes of positions, as the input has.\n  Hint: name a layer before it."
    )
