"""A heat-map, with all that is needed to read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from lenrek.data.shown import counted

SIGNED = ("integrated-gradients", "occlusion")  # values below zero speak against the class


@dataclass(frozen=True, eq=False)
class Evidence:
    """What speaks for a class, at every position of the input; float32 on the CPU (float64 of a float64 network).

    Attributes:
        method: "grad-cam", "grad-cam++", "layer-cam", "score-cam", "integrated-gradients" or "occlusion".
        layer: whose features were weighed; "" where it is the input itself.
        target: (batch,), the index of the class.
        score: (batch,), the network's output for it.
        cells: (batch, *map_size), one number per feature position of the layer, or per window of an occlusion.
        values: (batch, *size), the same on the input's samples; a cell stands at the centre of its receptive field.
        centres: along each axis where the cells stand, in input samples; empty where each sample has its own number.
        channels: (batch, channels, *size), of integrated gradients, whose sum over channels is `values`.
        gap: (batch,), of integrated gradients: the sum of all values minus the change of score that they explain.
    """

    method: str
    layer: str
    target: Tensor
    score: Tensor
    cells: Tensor
    values: Tensor
    centres: tuple[tuple[float, ...], ...] = ()
    channels: Tensor | None = None
    gap: Tensor | None = None

    @property
    def signed(self) -> bool:
        """Whether values below zero speak against the class; where not, zero is all that is said of such places."""
        return self.method in SIGNED

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: the cells and where they stand; the values follow from them."""
        told: dict[str, Any] = {
            "method": self.method,
            "layer": self.layer,
            "target": self.target.tolist(),
            "score": self.score.tolist(),
            "cells": self.cells.tolist(),
            "centres": [list(axis) for axis in self.centres],
        }
        return told if self.gap is None else told | {"gap": self.gap.tolist()}

    def __repr__(self) -> str:
        of = f" of {self.layer}" if self.layer else ""
        samples = counted(len(self.target), "sample")
        return f"<Evidence by {self.method}{of} for {samples} of {tuple(self.values.shape[1:])}>"
