"""Class activation maps: a layer's features, weighed by how much the class's score rises with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lenrek.explain.evidence.of_layer import evidence_of_layer
from lenrek.explain.evidence.result import Evidence
from lenrek.explain.evidence.target import Target

Weigh = Callable[[Tensor, Tensor], Tensor]  # maps, gradient (batch, channels, *map_size) → (batch, *map_size)


def grad_cam(model: Any, x: Any, layer: str | None = None, target: Target = None) -> Evidence:
    """Grad-CAM: each channel weighed by the mean of its gradient, summed, and what is below zero left out.

    L = max(0, Σ_k mean(∂score/∂A_k) · A_k)

    Args:
        model: a network that returns (batch, classes), or a `lenrek.Classifier`. It is run in evaluation and left as it
            was: modes, gradients and hooks.
        x: (batch, channels, *size) as the network takes it (normalised).
        layer: a module's path, "#2" behind it for its second run; by default the last one whose features stand at a
            place of the input.
        target: the class, by index or name, one for all samples or one for each; by default the one of the highest
            score.
    Returns:
        Cells of the layer's map, and values on the input's samples: cells stand at the centres of their receptive
        fields, linear between them, constant beyond the outermost.
    Raises:
        ModelError: no such layer, one whose features have no place on the input, or a network that returns no scores.
        OptionError: no such class.
        ShapeError: samples that the network does not take.
    Source: Selvaraju et al. 2017, arXiv:1610.02391, §3.
    Example: a network that adds up its two channels, the second of them negatively.
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Identity(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(2, 1, bias=False))
        >>> _ = net[3].weight.data.copy_(torch.tensor([[8.0, -4.0]]))
        >>> grad_cam(net, torch.tensor([[[1.0, 2.0, 0.0, 4.0], [0.0, 1.0, 1.0, 1.0]]]), "0").values
        tensor([[2., 3., 0., 7.]])
    """
    return _cam("grad-cam", "grad_cam", model, x, layer, target, _by_mean_gradient)


def grad_cam_plus_plus(model: Any, x: Any, layer: str | None = None, target: Target = None) -> Evidence:
    """Grad-CAM++: channels weighed by their positive gradients, each divided so that every occurrence of an object
    counts alike, large or small.

    α = g² / (2·g² + ΣA·g³), w_k = Σ α·max(0, g), L = max(0, Σ_k w_k·A_k), with g = ∂score/∂A. The paper's factor
    exp(score), one number for the whole map, is left out.

    Args, Returns, Raises: as `grad_cam`.
    Source: Chattopadhay et al. 2018, arXiv:1710.11063, eq. 10-19.
    """
    return _cam("grad-cam++", "grad_cam_plus_plus", model, x, layer, target, _by_occurrence)


def layer_cam(model: Any, x: Any, layer: str | None = None, target: Target = None) -> Evidence:
    """Layer-CAM: every feature weighed by its own gradient, where that is positive; of use in early layers, too.

    L = max(0, Σ_k max(0, ∂score/∂A_k) · A_k)

    Args, Returns, Raises: as `grad_cam`.
    Source: Jiang et al. 2021, doi:10.1109/TIP.2021.3089943, eq. 5-6.
    """
    return _cam("layer-cam", "layer_cam", model, x, layer, target, _by_own_gradient)


def _cam(method: str, who: str, model: Any, x: Any, layer: str | None, target: Target, weigh: Weigh) -> Evidence:
    return evidence_of_layer(method, who, model, x, layer, target, lambda run: weigh(run.features, run.gradient()))


def _by_mean_gradient(maps: Tensor, gradient: Tensor) -> Tensor:
    return (gradient.flatten(2).mean(2)[(..., *[None] * (maps.ndim - 2))] * maps).sum(1)


def _by_occurrence(maps: Tensor, gradient: Tensor) -> Tensor:
    all_places = list(range(2, maps.ndim))
    below = 2 * gradient**2 + maps.sum(all_places, keepdim=True) * gradient**3
    share = gradient**2 / torch.where(below == 0, 1.0, below)
    return ((share * gradient.clamp(min=0)).sum(all_places, keepdim=True) * maps).sum(1)


def _by_own_gradient(maps: Tensor, gradient: Tensor) -> Tensor:
    return (gradient.clamp(min=0) * maps).sum(1)
