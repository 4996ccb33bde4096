"""The spectral norms of a network's linear layers, each at the size it has there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

from lenrek.errors import ModelError
from lenrek.explain.layer_outputs import LayerOutputs
from lenrek.explain.spectrum import singular_values

WHO = "layer_norms"


@dataclass(frozen=True)
class LayerNorm:
    """A linear layer's spectral norm.

    Attributes:
        name, type: of the module.
        in_shape: what goes into it, without the batch.
        norm: its largest singular value: two inputs of distance 1 have outputs of at most this distance.
        method: "fourier" or "lanczos", see `singular_values`.
    """

    name: str
    type: str
    in_shape: tuple[int, ...]
    norm: float
    method: str

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict."""
        return asdict(self)


def layer_norms(model: nn.Module, in_shape: Sequence[int]) -> Iterator[LayerNorm]:
    """The norm of every convolution and fully connected layer, in the order of the modules.

    A chain of these and of activations that stretch nothing (ReLU, max-pooling without overlap) has at most the
    product of the norms as its Lipschitz constant.

    Args:
        in_shape: (channels, *size) of one input of the network.
    Raises:
        ModelError: there is no such layer.
        ShapeError: an input that the network does not take.
    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
        >>> with torch.no_grad(): _ = model[1].weight.copy_(torch.tensor([[3.0, 0, 0, 0], [0, 2.0, 0, 0]]))
        >>> [(found.name, round(found.norm, 6)) for found in layer_norms(model, (1, 2, 2))]
        [('1', 3.0)]
    """
    layers = {name: part for name, part in model.named_modules() if isinstance(part, _ConvNd | nn.Linear)}
    if not layers:
        raise ModelError(f"{WHO}: {type(model).__name__} has neither a convolution nor a fully connected layer.")
    if isinstance(model, _ConvNd | nn.Linear):
        shapes = {"": tuple(in_shape)}
    else:
        with LayerOutputs(model, list(layers), inputs=True, who=WHO) as run:
            _, inputs = run(torch.zeros(1, *in_shape))
        shapes = {name: tuple(x.shape[1:]) for name, x in zip(layers, inputs, strict=True)}
    for name, layer in layers.items():
        found = singular_values(layer, shapes[name], 1)
        yield LayerNorm(name, type(layer).__name__, shapes[name], found.norm, found.method)
