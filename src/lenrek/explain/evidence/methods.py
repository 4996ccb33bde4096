"""The methods by their names."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from lenrek.errors import OptionError
from lenrek.explain.evidence.cam import grad_cam, grad_cam_plus_plus, layer_cam
from lenrek.explain.evidence.integrated_gradients import integrated_gradients
from lenrek.explain.evidence.occlusion import occlusion
from lenrek.explain.evidence.result import Evidence
from lenrek.explain.evidence.score_cam import score_cam
from lenrek.explain.evidence.target import Target

OF_LAYERS: dict[str, Callable[..., Evidence]] = {
    "grad-cam": grad_cam,
    "grad-cam++": grad_cam_plus_plus,
    "layer-cam": layer_cam,
    "score-cam": score_cam,
}
OF_INPUTS: dict[str, Callable[..., Evidence]] = {
    "integrated-gradients": integrated_gradients,
    "occlusion": occlusion,
}
METHODS = OF_LAYERS | OF_INPUTS


def class_evidence(
    model: Any, x: Any, method: str = "grad-cam", layer: str | None = None, target: Target = None, **options: Any
) -> Evidence:
    """The evidence for a class by a method's name: what `grad_cam` and the other functions return.

    Args:
        method: "grad-cam", "grad-cam++", "layer-cam", "score-cam", "integrated-gradients" or "occlusion".
        layer: for the first four.
        options: of the method.
    Raises:
        OptionError: no such method, or a layer for a method that looks at the input.
    Example:
        >>> import torch
        >>> from torch import nn
        >>> class_evidence(nn.Flatten(), torch.tensor([[[1.0, 2.0]]]), "occlusion", window=1, target=0).cells
        tensor([[1., 0.]])
    """
    check_method(method, "class_evidence")
    if method in OF_LAYERS:
        return OF_LAYERS[method](model, x, layer, target, **options)
    if layer is not None:
        raise OptionError(
            f"class_evidence: layer {layer!r} has no effect on {method}, which looks at the input.\n"
            f"  Hint: leave it out, or take one of {', '.join(OF_LAYERS)}."
        )
    return OF_INPUTS[method](model, x, target, **options)


def check_method(method: str, who: str) -> None:
    """Raise `OptionError` for an unknown method."""
    if method not in METHODS:
        near = get_close_matches(str(method), METHODS, n=1)
        hint = f"\n  Hint: did you mean {near[0]}?" if near else ""
        raise OptionError(f"{who}: method is {method!r}, expected one of {', '.join(METHODS)}.{hint}")
