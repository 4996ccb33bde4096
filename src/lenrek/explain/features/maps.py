"""The feature maps of a layer for one input: what each of its channels found where."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from torch import Tensor, nn

from lenrek.drawing.sheet import Row, Sheet
from lenrek.drawing.tile import curve_tile
from lenrek.errors import DataError, ShapeError
from lenrek.explain.features.panels import (
    Scale,
    check_most,
    check_scale,
    scale_in_words,
    slices_in_words,
    value_tile,
)
from lenrek.explain.features.weights import is_convolution
from lenrek.explain.layer_outputs import LayerOutputs, as_samples
from lenrek.explain.network_of import contract_of, plain_network

WHO = "feature_maps"
MOST_MAPS = 64


@dataclass(frozen=True, eq=False)
class FeatureMaps:
    """What one layer computes of one input. A notebook shows `sheet()`.

    Attributes:
        layer: its name; "" is the network's output.
        values: (channels, *size), float32; size is () for a layer of single numbers.
    """

    layer: str
    values: np.ndarray

    @cached_property
    def norms(self) -> np.ndarray:
        """(channels,), the square root of the mean of squares."""
        return np.sqrt(np.square(self.values.reshape(len(self.values), -1), dtype=np.float64).mean(1))

    @cached_property
    def order(self) -> np.ndarray:
        """(channels,), their indices, the largest norm first; of equal ones the lower index."""
        return np.argsort(-self.norms, kind="stable")

    @property
    def signed(self) -> bool:
        """Whether a value is negative; after a rectifier none is."""
        return bool((self.values < 0).any())

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without the values."""
        return {
            "layer": self.layer, "channels": len(self.values), "size": list(self.values.shape[1:]),
            "order": self.order.tolist(), "norms": [float(self.norms[i]) for i in self.order],
            "silent": int((self.norms == 0).sum()),
        }  # fmt: skip

    def sheet(self, *, scale: Scale = "common", most: int = MOST_MAPS) -> Sheet:
        """The strongest maps.

        Args:
            scale: "common": one scale for all maps. "own": one for each, and the caption says so.
            most: maps.
        """
        check_scale(scale, WHO)
        check_most(most, WHO)
        title = f"What {self.layer or 'the network'} computes"
        largest = float(np.abs(self.values).max())
        if self.values.ndim == 1:
            low, high = float(self.values.min()), float(self.values.max())
            description = f"{len(self.values)} values from {low:.3g} to {high:.3g}"
            tile = curve_tile(self.values, low, high, description, width=900)
            best = ", ".join(f"{i} ({self.values[i]:.3g})" for i in self.order[:5])
            return Sheet(
                title, f"One value per channel, in their order: {description}. Largest: {best}.", [Row([tile])]
            )
        chosen, signed = self.order[:most], self.signed
        side = 96 if max(self.values.shape[1:]) > 8 else 64
        tiles = []
        for i in chosen:
            limit = largest if scale == "common" else float(np.abs(self.values[i]).max())
            caption = (f"{i}", f"rms {self.norms[i]:.3g}")
            tiles.append(value_tile(self.values[i], limit, f"map {i}", caption, signed=signed, side=side))
        notes = [f"The {len(chosen)} strongest of {len(self.values)} channels, by root mean square."]
        notes += [f"{silent} are zero everywhere."] if (silent := int((self.norms == 0).sum())) else []
        if self.values.ndim == 2:
            one = "one scale for all" if scale == "common" else "each on a scale of its own"
            notes.append(f"Curves along the input, with a line at zero; {one}.")
        else:
            notes.append(scale_in_words(largest, scale, signed, "maps"))
        notes += [slices_in_words(self.values.shape[1])] if self.values.ndim == 4 else []
        return Sheet(title, " ".join(notes), [Row(tiles)])

    def _repr_svg_(self) -> str:
        return self.sheet().to_svg()


def feature_maps(model: Any, x: Any, layer: str = "") -> FeatureMaps:
    """What a layer computes of one input, channel by channel, the strongest first.

    Args:
        model: a network or a `lenrek.Classifier`, run in evaluation.
        x: one sample (channels, *size), or (1, channels, *size), as the network takes it.
        layer: the module's path, with "#2" behind it its second run; "" is the network's output.
    Raises:
        ModelError: no such layer, it did not run, or it returns no tensor per sample.
        ShapeError: the network does not take such a sample, or several samples were given.
        DataError: the layer computes numbers that are not finite.
    Example:
        >>> import torch
        >>> found = feature_maps(torch.nn.Sequential(torch.nn.ReLU()), torch.tensor([[-1.0, 2.0], [3.0, 4.0]]), "0")
        >>> found.values.tolist(), found.order.tolist()
        ([[0.0, 2.0], [3.0, 4.0]], [1, 0])
    """
    network = plain_network(model, WHO)
    sample = one_sample(network, x)
    with LayerOutputs(network, [layer], who=WHO) as run:
        _, (found,) = run(sample)
    values = found[0].float().numpy()
    if not np.isfinite(values).all():
        raise DataError(f"{WHO}: {layer or 'the output'!r} computes numbers that are not finite: are the weights?")
    return FeatureMaps(layer, values)


def one_sample(network: nn.Module, x: Any, who: str = WHO) -> Tensor:
    """(1, channels, *size) of one sample with or without its batch axis.

    Raises:
        ShapeError: several samples.
    """
    given = x if isinstance(x, Tensor) else np.asarray(x)
    contract = contract_of(network)
    layers: Any = (module for module in network.modules() if is_convolution(module))
    axes = next((module.weight.ndim - 2 for module in layers), None) if contract is None else len(contract.size)
    unbatched = given.ndim == axes + 1 if axes is not None else given.shape[0] != 1 or given.ndim == 2
    samples = as_samples(given[None] if unbatched else given, who)
    if len(samples) != 1:
        raise ShapeError(f"{who}: x holds {len(samples)} samples, expected one: (channels, *size).")
    return samples
