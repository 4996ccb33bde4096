"""Depthwise correlation: one kernel per channel, forward and backward at the speed of the processor.

On CPU tensors of float32 or bfloat16 the compiled kernels do the work, channels first or last, but for the few maps
that PyTorch computes as fast or faster; everywhere else the twin in plain PyTorch does. The three maps (forward,
gradient of the input, gradient of the weight) are each other's gradients, so all are differentiable as often as wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from lenrek.kernels import library
from lenrek.kernels.depthwise_operators import TYPES
from lenrek.kernels.layout import dense, empty_dense, is_dense

Sizes = tuple[int, ...]
LONG = 16  # samples of a kernel axis from which PyTorch leaves its fast path, if the channels are outermost
_CONVOLUTIONS = (F.conv1d, F.conv2d, F.conv3d)

_forward = torch.ops.lenrek.depthwise_forward.default
_input_gradient = torch.ops.lenrek.depthwise_input_gradient.default
_weight_gradient = torch.ops.lenrek.depthwise_weight_gradient.default


def depthwise(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
) -> Tensor:
    """y[b,c,p] = bias[c] + Σ_k weight[c,0,k] · x[b, c, stride·p + dilation·k − before], zeros outside.

    Args:
        x: (batch, channels, *size), of 1 to 3 axes; fastest where the channels are last in memory.
        weight: (channels, 1, *kernel_size); with several kernels per channel PyTorch computes.
        bias: (channels,).
        stride, dilation: per axis, in samples.
        padding: zeros (before, after) each axis.
    Returns:
        (batch, channels, *out_size), in the layout and type of x (under autocast in its type); summed in float32.
    Source: Howard et al. 2017, arXiv:1704.04861, §3.1.
    Example:
        >>> x, weight = torch.arange(4.0).reshape(1, 1, 4), torch.tensor([[[1.0, -1.0]]])
        >>> depthwise(x, weight, stride=(1,), padding=((1, 0),), dilation=(1,))
        tensor([[[ 0., -1., -1., -1.]]])
    """
    if torch.is_autocast_enabled(x.device.type):
        x, weight, bias = _autocast(x), _autocast(weight), None if bias is None else _autocast(bias)
    if not supported(x, weight) or (bias is not None and bias.dtype != x.dtype):
        return depthwise_reference(x, weight, bias, stride=stride, padding=padding, dilation=dilation)
    how = How.of(x.shape[2:], weight.shape[2:], stride, padding, dilation)
    return apply(x, weight, bias, how)


def depthwise_reference(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
) -> Tensor:
    """`depthwise` in PyTorch's operators, for any type, device and layout."""
    sides = [samples for side in reversed(padding) for samples in side]
    convolution = _CONVOLUTIONS[weight.ndim - 3]
    return convolution(F.pad(x, sides), weight, bias, tuple(stride), 0, tuple(dilation), x.shape[1])


def supported(x: Tensor, weight: Tensor) -> bool:
    """Whether the kernels can run: compiled, on tensors of such type, device and shape, none of them empty.

    Under vmap and forward differentiation PyTorch's operators know more than ours.
    """
    return (
        library.available()
        and not torch._C._are_functorch_transforms_active()
        and x.device.type == "cpu"
        and x.dtype in TYPES
        and weight.dtype == x.dtype
        and weight.device == x.device
        and 3 <= x.ndim == weight.ndim <= 5
        and weight.shape[1] == 1
        and weight.shape[0] == x.shape[1]
        and x.numel() > 0
    )


class How(NamedTuple):
    """Sizes and steps per axis.

    Attributes:
        padding: zeros before each axis; what lies behind follows from the sizes.
        uneven: some axis has more zeros on one side than on the other.
    """

    in_size: Sizes
    out_size: Sizes
    kernel: Sizes
    stride: Sizes
    padding: Sizes
    dilation: Sizes
    uneven: bool

    @classmethod
    def of(
        cls,
        in_size: Sequence[int],
        kernel: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[tuple[int, int]],
        dilation: Sequence[int],
    ) -> How:
        rows = zip(in_size, kernel, stride, padding, dilation, strict=True)
        out_size = tuple((n + before + after - d * (k - 1) - 1) // s + 1 for n, k, s, (before, after), d in rows)
        before, after = zip(*padding, strict=True)
        sizes = (tuple(in_size), out_size, tuple(kernel), tuple(stride), before, tuple(dilation))
        return cls(*sizes, uneven=before != after)

    def native(self, of: str, x: Tensor) -> bool:
        """Whether PyTorch has a kernel of its own for this map of x (or dy) that ours does not beat.

        Measured in both layouts by benchmarks/depthwise.py.
        """
        if self.uneven or len(self.kernel) == 1:
            return False
        if x.dtype == torch.bfloat16 and library.active().isa != "avx512_bf16":
            return False
        if of == "forward":
            return is_dense(x) or (len(self.kernel) == 2 and max(self.kernel) < LONG)
        if len(self.kernel) != 2 or max(self.dilation) > 1:
            return False
        if of == "weight_gradient":
            return max(self.kernel) <= 3 and all(n >= k for n, k in zip(self.in_size, self.kernel, strict=True))
        return prod(self.kernel) <= 25 and (max(self.stride) == 1 or x.dtype == torch.float32)


def forward(x: Tensor, weight: Tensor, how: How, bias: Tensor | None = None) -> Tensor:
    """x (batch, channels, *in_size) → (batch, channels, *out_size) in its layout, without a gradient."""
    if how.native("forward", x):
        convolution = _CONVOLUTIONS[weight.ndim - 3]
        return convolution(x, weight, bias, how.stride, how.padding, how.dilation, weight.shape[0])
    bias = None if bias is None else bias.contiguous()
    return _forward(_readable(x), weight.contiguous(), bias, how.out_size, how.stride, how.padding, how.dilation)


def input_gradient(dy: Tensor, weight: Tensor, how: How) -> Tensor:
    """Its adjoint in x: dy (batch, channels, *out_size) → (batch, channels, *in_size) in its layout."""
    if how.native("input_gradient", dy):
        batch, channels = dy.shape[:2]
        size = (batch, channels, *how.in_size)  # of x, of which size and layout count
        x = empty_dense(dy, batch, channels, how.in_size) if is_dense(dy) else dy.new_empty(size)
        return _native_gradients(dy, x, weight, how, [True, False, False])[0]
    return _input_gradient(_readable(dy), weight.contiguous(), how.in_size, how.stride, how.padding, how.dilation)


def weight_gradient(x: Tensor, dy: Tensor, how: How, with_bias: bool = False) -> tuple[Tensor, Tensor]:
    """Its adjoint in the weight, (channels, 1, *kernel); and `with_bias` Σ dy, (channels,), otherwise empty."""
    if how.native("weight_gradient", x):
        weight = x.new_empty((x.shape[1], 1, *how.kernel))
        _, dweight, dbias = _native_gradients(dy, x, weight, how, [False, True, with_bias])
        return dweight, dbias if with_bias else x.new_empty(0)
    return _weight_gradient(_readable(x), _readable(dy), how.kernel, how.stride, how.padding, how.dilation, with_bias)


def _readable(x: Tensor) -> Tensor:
    """`x` in one of the two layouts that the kernels read."""
    return x if x.is_contiguous() else dense(x)


def _native_gradients(dy: Tensor, x: Tensor, weight: Tensor, how: How, wanted: list[bool]) -> tuple[Tensor, ...]:
    channels, zeros = x.shape[1], [0] * len(how.kernel)
    return torch.ops.aten.convolution_backward(
        dy, x, weight, [channels], how.stride, how.padding, how.dilation, False, zeros, channels, wanted
    )


def _autocast(t: Tensor) -> Tensor:
    return t if t.dtype == torch.float64 else t.to(torch.get_autocast_dtype(t.device.type))


def apply(x: Tensor, weight: Tensor, bias: Tensor | None, how: How) -> Tensor:
    """`forward` with the gradients of its first three arguments; for what is `supported`."""
    needed = x.requires_grad or weight.requires_grad or (bias is not None and bias.requires_grad)
    if needed and torch.is_grad_enabled():
        return _Forward.apply(x, weight, bias, how)
    return forward(x, weight, how, bias)


class _Forward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, how: How) -> Tensor:
        ctx.how = how
        ctx.save_for_backward(x, weight)
        return forward(x, weight, how, bias)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias, _ = ctx.needs_input_grad
        dx = dweight = dbias = None
        if of_x:
            dx = _InputGradient.apply(dy, weight, ctx.how)
        if of_weight:
            dweight, dbias = _WeightGradient.apply(x, dy, ctx.how, of_bias)
        elif of_bias:
            dbias = dy.sum((0, *range(2, dy.ndim)))
        return dx, dweight, dbias if of_bias else None, None


class _InputGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, dy: Tensor, weight: Tensor, how: How) -> Tensor:
        ctx.how = how
        ctx.save_for_backward(dy, weight)
        return input_gradient(dy, weight, how)

    @staticmethod
    def backward(ctx: Any, ddx: Tensor) -> tuple[Tensor | None, ...]:
        dy, weight = ctx.saved_tensors
        for_dy = _Forward.apply(ddx, weight, None, ctx.how) if ctx.needs_input_grad[0] else None
        for_weight = _WeightGradient.apply(ddx, dy, ctx.how, False)[0] if ctx.needs_input_grad[1] else None
        return for_dy, for_weight, None


class _WeightGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, dy: Tensor, how: How, with_bias: bool) -> tuple[Tensor, Tensor]:
        ctx.how, ctx.with_bias = how, with_bias
        ctx.save_for_backward(x, dy)
        return weight_gradient(x, dy, how, with_bias)

    @staticmethod
    def backward(ctx: Any, ddweight: Tensor, ddbias: Tensor) -> tuple[Tensor | None, ...]:
        x, dy = ctx.saved_tensors
        bias = ddbias if ctx.with_bias else None
        for_x = _InputGradient.apply(dy, ddweight, ctx.how) if ctx.needs_input_grad[0] else None
        for_dy = _Forward.apply(x, ddweight, bias, ctx.how) if ctx.needs_input_grad[1] else None
        return for_x, for_dy, None, None
