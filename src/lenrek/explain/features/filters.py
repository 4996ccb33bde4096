"""The filters of a convolution as a picture: in colour where they see colours, otherwise channel by channel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lenrek.drawing.sheet import Row, Sheet
from lenrek.drawing.tile import Tile, image_tile
from lenrek.errors import OptionError
from lenrek.explain.features.panels import (
    Scale,
    check_most,
    check_scale,
    scale_in_words,
    slices_in_words,
    value_tile,
)
from lenrek.explain.features.weights import convolutions, filters_of, find_convolution_layer
from lenrek.explain.network_of import plain_network

WHO = "filters"
MOST_FILTERS, MOST_CHANNELS = 64, 8
CELL_PX = 6  # of a matrix of weights


@dataclass(frozen=True, eq=False)
class Filters:
    """The weights of one convolution. A notebook shows `sheet()`.

    Attributes:
        layer: its name.
        weight: (filters, in_channels / groups, *kernel_size), float32; of a transposed convolution as well.
        colour: whether the three channels are red, green and blue.
    """

    layer: str
    weight: np.ndarray
    colour: bool

    @cached_property
    def norms(self) -> np.ndarray:
        """(filters,), the square root of the sum of squares."""
        return np.linalg.norm(self.weight.reshape(len(self.weight), -1), axis=1)

    @cached_property
    def order(self) -> np.ndarray:
        """(filters,), their indices, the largest norm first; of equal ones the lower index."""
        return np.argsort(-self.norms, kind="stable")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without the weights themselves."""
        return {
            "layer": self.layer, "filters": len(self.weight), "channels": self.weight.shape[1],
            "kernel_size": list(self.weight.shape[2:]), "colour": self.colour,
            "order": self.order.tolist(), "norms": [float(self.norms[i]) for i in self.order],
            "largest_weight": float(np.abs(self.weight).max()),
        }  # fmt: skip

    def sheet(self, *, scale: Scale = "common", most: int = MOST_FILTERS) -> Sheet:
        """The filters of the largest norms.

        Args:
            scale: "common": one symmetric scale for all filters, so that weak ones look weak. "own": one for each, and
                the caption says so.
            most: filters.
        """
        check_scale(scale, WHO)
        check_most(most, WHO)
        chosen = self.order[:most]
        largest = float(np.abs(self.weight).max())
        limits = np.full(len(self.weight), largest)
        if scale == "own":
            limits = np.abs(self.weight).reshape(len(self.weight), -1).max(1)
        which = f"The {len(chosen)} filters of the largest norm, of" if len(chosen) < len(self.weight) else "All"
        notes = [f"{which} {len(self.weight)}{' filters' if which == 'All' else ''}, the largest norm first."]
        channels, kernel = self.weight.shape[1], self.weight.shape[2:]
        if self.colour:
            rows = [Row([self._in_colour(i, limits[i]) for i in chosen])]
            grey = "Middle grey is zero; a channel is brighter where its weight is positive"
            common = f"one scale for all filters: ±{largest:.3g} is full brightness or none."
            notes.append(f"{grey}; {common if scale == 'common' else 'each filter on a scale of its own.'}")
        elif max(kernel) == 1 and channels > 1:
            rows = [Row([self._matrix(chosen, limits)])]
            notes.append("A row for each filter (in this order), a column for each channel that it reads.")
            notes.append(scale_in_words(largest, scale, True, "filters"))
        else:
            rows = self._by_channel(chosen, limits)
            if channels > MOST_CHANNELS:
                notes.append(f"Of each the {MOST_CHANNELS} channels of the largest norm, of {channels}.")
            notes.append(
                f"Curves of the weights, one scale for all filters: ±{largest:.3g}." if len(kernel) == 1 and
                scale == "common" else "Curves of the weights, each filter on a scale of its own."
                if len(kernel) == 1 else scale_in_words(largest, scale, True, "filters")
            )  # fmt: skip
            notes += [slices_in_words(kernel[0])] if len(kernel) == 3 else []
        return Sheet(f"Filters of {self.layer or 'the layer'}", " ".join(notes), rows)

    def _repr_svg_(self) -> str:
        return self.sheet().to_svg()

    def _in_colour(self, index: int, limit: float) -> Tile:
        pixels = np.rint(127.5 + 127.5 * self.weight[index] / (limit or 1.0)).astype(np.uint8)
        return image_tile(pixels.transpose(1, 2, 0), f"filter {index} in colour", self._caption(index), side=64)

    def _by_channel(self, chosen: np.ndarray, limits: np.ndarray) -> list[Row]:
        if self.weight.shape[1] == 1:
            return [
                Row([
                    value_tile(
                        self.weight[i, 0], limits[i], f"filter {i}", self._caption(i), signed=True, side=64
                    ) for i in chosen
                ])
            ]  # fmt: skip
        rows = []
        for i in chosen:
            strength = np.linalg.norm(self.weight[i].reshape(len(self.weight[i]), -1), axis=1)
            best = np.argsort(-strength, kind="stable")[:MOST_CHANNELS]
            tiles = [
                value_tile(self.weight[i, c], limits[i], f"filter {i}, channel {c}", (f"in {c}",), signed=True, side=48)
                for c in best
            ]
            rows.append(Row(tiles, " ".join(self._caption(i))))
        return rows

    def _matrix(self, chosen: np.ndarray, limits: np.ndarray) -> Tile:
        weights = self.weight[chosen].reshape(len(chosen), -1)
        shares = np.stack([row / (limits[i] or 1.0) for i, row in zip(chosen, weights, strict=True)])
        side = min(CELL_PX * max(shares.shape), 900)
        return value_tile(shares, 1.0, "weights of all filters", signed=True, side=side)

    def _caption(self, index: int) -> tuple[str, ...]:
        return (f"{index}", f"norm {self.norms[index]:.3g}")


def filters(model: Any, layer: str | None = None, *, colour: bool | None = None) -> Filters:
    """The filters of any convolution, 1-D, 2-D or 3-D, plain or transposed.

    A filter alone shows what a layer computes only where the layer sees the input itself; deeper ones combine features
    that have no picture of their own: look at what excites them (`strongest_patches`) instead.

    Args:
        model: a network or a `lenrek.Classifier`.
        layer: the module's path; by default the network's first convolution.
        colour: whether its channels are red, green and blue. None: where it is the network's first convolution, in two
            dimensions, and reads three channels.
    Raises:
        ModelError: no such layer, or it has no filters.
        OptionError: colour for a layer that does not read three channels in two dimensions.
    Example: of two filters the second is stronger.
        >>> import torch
        >>> conv = torch.nn.Conv2d(1, 2, (1, 3))
        >>> _ = conv.weight.data.copy_(torch.tensor([[1.0, 0, -1], [3, 0, 4]]).reshape(2, 1, 1, 3))
        >>> found = filters(torch.nn.Sequential(conv), "0")
        >>> found.order.tolist(), found.norms.tolist(), found.weight.shape
        ([1, 0], [1.4142135381698608, 5.0], (2, 1, 1, 3))
    """
    network = plain_network(model, WHO)
    there = convolutions(network)
    name = (there[0] if there else "") if layer is None else layer
    module = find_convolution_layer(network, name, WHO)
    weight = filters_of(module).numpy()
    possible = weight.shape[1] == 3 and weight.ndim == 4 and module.groups == 1
    if colour and not possible:
        raise OptionError(
            f"{WHO}: colour is True, but {name or 'the layer'!r} reads {weight.shape[1]} channels on "
            f"{weight.ndim - 2} axes, expected 3 on 2."
        )
    first = not there or name == there[0]
    return Filters(name, weight, possible and first if colour is None else colour)
