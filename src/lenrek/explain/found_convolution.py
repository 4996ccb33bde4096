"""What is found of a linear layer: the convolution that it is or is nearest to, and where it is another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from lenrek.geometry import BoundaryName


@dataclass(frozen=True)
class Entry:
    """One entry of the layer's matrix: what a single input adds to a single output."""

    output: tuple[int, ...]
    input: tuple[int, ...]
    found: float
    expected: float


@dataclass(frozen=True, eq=False)
class FoundConvolution:
    """A linear layer seen as the convolution nearest to it. `print` says it in a sentence.

    Attributes:
        weight: (out_channels, in_channels, *kernel_size), in the sense of `correlate`: not flipped.
        bias: (out_channels,), or None for a matrix.
        stride, padding: per axis; padding is (before, after).
        boundary: what the padding holds; None where nothing is padded.
        distance: ‖M − P‖/‖M‖ in Frobenius norm, for the layer's matrix M and that of the convolution P.
        bias_distance: the same for the bias, which a convolution has in common for all outputs of a channel.
        tolerance: what counts as none.
        deviation: (out_channels, *out_size): the part of the distance that lies in each output's weights; its squares
            sum to distance².
        worst: the entry of the matrix that is farthest from the convolution's.
    """

    weight: Tensor
    bias: Tensor | None
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    boundary: BoundaryName | None
    distance: float
    bias_distance: float
    tolerance: float
    deviation: Tensor
    worst: Entry

    @property
    def is_convolution(self) -> bool:
        """Whether the layer is this convolution, up to the tolerance."""
        return max(self.distance, self.bias_distance) <= self.tolerance

    def __str__(self) -> str:
        kernel = "×".join(map(str, self.weight.shape[2:]))
        stride = "" if set(self.stride) == {1} else f", stride {'×'.join(map(str, self.stride))}"
        edge = f"padding {self.padding}, boundary {self.boundary}" if self.boundary else "no padding"
        form = f"kernel {kernel}{stride}, {edge}"
        if self.is_convolution:
            return f"a convolution: {form}"
        if self.distance <= self.tolerance:
            return f"no convolution: the weights are those of one ({form}), but the bias differs within a channel"
        off = (self.deviation > self.tolerance / self.deviation.numel() ** 0.5).double().mean().item()
        w = self.worst
        return (
            f"no convolution: {100 * self.distance:.2g} % away from the nearest one ({form}); {100 * off:.0f} % of the "
            f"outputs deviate, most where output {w.output} reads input {w.input} with weight {w.found:.4g} instead of "
            f"{w.expected:.4g}"
        )

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict."""
        return {
            "is_convolution": self.is_convolution,
            "kernel_size": list(self.weight.shape[2:]),
            "weight": self.weight.tolist(),
            "bias": None if self.bias is None else self.bias.tolist(),
            "stride": self.stride,
            "padding": self.padding,
            "boundary": self.boundary,
            "distance": self.distance,
            "bias_distance": self.bias_distance,
            "tolerance": self.tolerance,
            "worst": vars(self.worst),
        }
