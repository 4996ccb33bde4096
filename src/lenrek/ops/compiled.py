"""Depthwise correlation by the compiled kernels, where there are any and they can run; elsewhere by PyTorch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lenrek.kernels import depthwise
from lenrek.kernels.depthwise import How
from lenrek.ops.direct import correlate_direct, transposed_direct, weight_gradient_direct
from lenrek.ops.layout import Layout

FEWEST = 8  # channels: the kernels compute up to 16 at once


def compiled_maps(x: Tensor, weight: Tensor, layout: Layout, in_size: Sequence[int]) -> frozenset[str]:
    """Which of forward, input_gradient and weight_gradient the kernels compute; PyTorch does the others as fast.

    An exported program keeps to operators that every program knows.
    """
    batched = x if x.ndim == weight.ndim else x.unsqueeze(0)
    if torch.compiler.is_exporting() or weight.shape[0] < FEWEST or not depthwise.supported(batched, weight):
        return frozenset()
    how = _how(in_size, weight.shape[2:], layout)
    maps = ("forward", "input_gradient", "weight_gradient")
    return frozenset(name for name in maps if not how.native(name, batched))


def correlate_compiled(x: Tensor, weight: Tensor, layout: Layout, bias: Tensor | None = None) -> Tensor:
    """As `correlate_direct`, with gradients of its own."""
    return depthwise.depthwise(x, weight, bias, stride=layout.stride, padding=layout.sides, dilation=layout.dilation)


def forward_compiled(x: Tensor, weight: Tensor, layout: Layout) -> Tensor:
    """As `correlate_direct`, without a gradient, as the two below."""
    if not depthwise.supported(x, weight):
        return correlate_direct(x, weight, layout)
    return depthwise.forward(x, weight, _how(x.shape[2:], weight.shape[2:], layout))


def transposed_compiled(y: Tensor, weight: Tensor, layout: Layout, in_size: Sequence[int]) -> Tensor:
    if not depthwise.supported(y, weight):
        return transposed_direct(y, weight, layout, in_size)
    return depthwise.input_gradient(y, weight, _how(in_size, weight.shape[2:], layout))


def weight_gradient_compiled(x: Tensor, y: Tensor, layout: Layout, kernel: Sequence[int]) -> Tensor:
    weight = x.new_empty(1).expand(x.shape[1], 1, *kernel)  # its shape alone counts
    if not depthwise.supported(x, weight):
        return weight_gradient_direct(x, y, layout, kernel)
    return depthwise.weight_gradient(x, y, _how(x.shape[2:], kernel, layout))[0]


def _how(in_size: Sequence[int], kernel: Sequence[int], layout: Layout) -> How:
    return How.of(in_size, kernel, layout.stride, layout.sides, layout.dilation)
