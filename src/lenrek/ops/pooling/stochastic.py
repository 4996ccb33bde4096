"""One sample of each window, drawn by chance."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lenrek.geometry import Boundary, Padding
from lenrek.ops.pooling.arguments import check_type
from lenrek.ops.pooling.reduce import flat_windows
from lenrek.ops.tensors import in_format_of


def stochastic_pool(
    x: Tensor,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    *,
    training: bool,
    boundary: Boundary = "zeros",
    generator: torch.Generator | None = None,
) -> Tensor:
    """A sample of each window, drawn with a probability proportional to its activation; in evaluation, its mean.

    With the activations a = max(x, 0) and p_i = a_i / Σ_j a_j within a window: in training a_i of an i drawn from p, in
    evaluation Σ_i p_i·a_i = Σ a_i² / Σ a_i; 0 where all activations are 0. The derivative of a drawn sample is 1 at
    this sample and 0 elsewhere. A window with an infinity or NaN gives NaN.

    Args:
        x: (batch, channels, *size), floating; or (channels, *size) if `kernel_size` is a sequence. Negative values
            count as 0, as if a ReLU came before.
        kernel_size, stride, dilation: in samples; an int for every axis, or one per axis. stride: the kernel's size.
        padding: samples before and after each axis, as for `geometry.resolve_padding`.
        training: whether to draw.
        boundary: what the padding holds; zeros are never drawn.
        generator: of the random numbers, on the device of `x`; PyTorch's own if None.
    Returns:
        (batch, channels, *out_size) of the type of `x`.
    Raises:
        ShapeError: a window that does not fit.
        OptionError: a type that is not floating, or a value out of range.
    Source: Zeiler & Fergus 2013, arXiv:1301.3557, §3.
    Example:
        >>> stochastic_pool(torch.tensor([[1.0, 3.0, -2.0, 0.0]]), (2,), training=False)
        tensor([[2.5000, 0.0000]])
        >>> stochastic_pool(torch.tensor([[0.0, 3.0, -2.0, 0.0]]), (2,), training=True)
        tensor([[3., 0.]])
    """
    check_type(x, "stochastic_pool")
    precise = x.to(torch.promote_types(x.dtype, torch.float32))
    samples = flat_windows(precise, kernel_size, stride, padding, dilation, boundary, "stochastic_pool")
    activations = samples.relu()
    y = _drawn(activations, generator) if training else _mean(activations)
    return in_format_of(x, y.to(x.dtype))


def _drawn(activations: Tensor, generator: torch.Generator | None) -> Tensor:
    """One of the last axis, with a probability proportional to itself."""
    sums = activations.detach().cumsum(-1)
    total = sums[..., -1:]
    threshold = total * torch.rand(total.shape, generator=generator, dtype=sums.dtype, device=sums.device)
    # the first whose running sum is above: never one of activation 0, as it does not raise the sum
    index = (sums <= threshold).sum(-1, keepdim=True).clamp(max=activations.shape[-1] - 1)
    # adds 0, but NaN where the total is not finite, as there are no probabilities then
    return (activations.gather(-1, index) + 0 * total).squeeze(-1)


def _mean(activations: Tensor) -> Tensor:
    """The mean over the last axis with these probabilities."""
    total = activations.sum(-1)
    return activations.square().sum(-1) / torch.where(total == 0, 1, total)
