"""Correlation and its two gradients, each by a method of its own.

What is fast forward may be slow backward: a 15×15 kernel's weight gradient runs at a hundredth of its forward speed in
PyTorch.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from lenrek.ops.compiled import forward_compiled, transposed_compiled, weight_gradient_compiled
from lenrek.ops.direct import correlate_direct, transposed_direct, transposed_flipped, weight_gradient_direct
from lenrek.ops.fourier import correlate_fft, transposed_fft, weight_gradient_fft
from lenrek.ops.gemm import (
    correlate_gemm,
    correlate_matrix,
    transposed_gemm,
    transposed_matrix,
    weight_gradient_gemm,
)
from lenrek.ops.layout import Layout, Sizes

_FORWARD = {
    "direct": correlate_direct,
    "kernel": forward_compiled,
    "gemm": correlate_gemm,
    "fft": correlate_fft,
    "matrix": correlate_matrix,
}
_INPUT_GRADIENT = {
    "direct": transposed_direct,
    "kernel": transposed_compiled,
    "flipped": transposed_flipped,
    "gemm": transposed_gemm,
    "fft": transposed_fft,
    "matrix": transposed_matrix,
}
_WEIGHT_GRADIENT = {
    "direct": weight_gradient_direct,
    "kernel": weight_gradient_compiled,
    "gemm": weight_gradient_gemm,
    "fft": weight_gradient_fft,
}


class Methods(NamedTuple):
    """The way each of the three maps is computed: a key of the table of its name."""

    forward: str
    input_gradient: str
    weight_gradient: str

    @classmethod
    def all(cls, method: str) -> Methods:
        """All three by one method; the gradient of a sparse matrix's weights is a product with the data's matrix."""
        return cls(method, method, "gemm" if method == "matrix" else method)


class Plan(NamedTuple):
    """Maps of `lenrek.ops.bilinear`: x (batch, in_channels, *in_size), y (batch, out_channels, *out_size)."""

    layout: Layout
    methods: Methods
    in_size: Sizes
    kernel: Sizes

    def forward(self, x: Tensor, weight: Tensor) -> Tensor:
        return _FORWARD[self.methods.forward](x, weight, self.layout)

    def input_gradient(self, y: Tensor, weight: Tensor) -> Tensor:
        return _INPUT_GRADIENT[self.methods.input_gradient](y, weight, self.layout, self.in_size)

    def weight_gradient(self, x: Tensor, y: Tensor) -> Tensor:
        return _WEIGHT_GRADIENT[self.methods.weight_gradient](x, y, self.layout, self.kernel)
