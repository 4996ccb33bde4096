"""The three maps of a depthwise convolution as PyTorch operators, without a gradient of their own.

lenrek::depthwise_forward, lenrek::depthwise_input_gradient and lenrek::depthwise_weight_gradient take CPU
tensors of float32 or bfloat16, contiguous or dense, and have shapes for tracing. `padding` is what lies before each
axis; the sizes imply the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import c_int, c_int64, c_void_p

import torch
from torch import Tensor

from lenrek.kernels.layout import empty_dense
from lenrek.kernels.library import declare, kernel

TYPES = {torch.float32: 0, torch.bfloat16: 1}
_Convolution = c_int64 * 20  # of csrc/depthwise.h
_ONES, _ZEROS = (1, 1, 1), (0, 0, 0)

declare("depthwise_forward", c_int, c_int, *[c_void_p] * 5, c_int)
declare("depthwise_input_gradient", c_int, c_int, *[c_void_p] * 4, c_int)
declare("depthwise_weight_gradient", c_int, c_int, c_int, *[c_void_p] * 5, c_int)

_operators = torch.library.Library("lenrek", "FRAGMENT")
_HOW = "int[] stride, int[] padding, int[] dilation"
for _schema in (
    f"depthwise_forward(Tensor x, Tensor weight, Tensor? bias, SymInt[] out_size, {_HOW}) -> Tensor",
    f"depthwise_input_gradient(Tensor dy, Tensor weight, SymInt[] in_size, {_HOW}) -> Tensor",
    f"depthwise_weight_gradient(Tensor x, Tensor dy, int[] kernel_size, {_HOW}, bool with_bias) -> (Tensor, Tensor)",
):
    _operators.define(_schema, tags=(torch.Tag.pt2_compliant_tag,))


def depthwise_forward(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    out_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> Tensor:
    """x (batch, channels, *in_size), weight (channels, 1, *kernel_size) → (batch, channels, *out_size)."""
    y = _like(x, out_size)
    convolution = _convolution(x.shape, out_size, weight.shape[2:], stride, padding, dilation)
    kernel("depthwise_forward")(
        TYPES[x.dtype],
        x.is_contiguous(),
        convolution,
        x.data_ptr(),
        weight.data_ptr(),
        None if bias is None else bias.data_ptr(),
        y.data_ptr(),
        torch.get_num_threads(),
    )
    return y


def depthwise_input_gradient(
    dy: Tensor,
    weight: Tensor,
    in_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> Tensor:
    """The adjoint in x: dy (batch, channels, *out_size) → (batch, channels, *in_size)."""
    dx = _like(dy, in_size)
    convolution = _convolution(dx.shape, dy.shape[2:], weight.shape[2:], stride, padding, dilation)
    pointers = (dy.data_ptr(), weight.data_ptr(), dx.data_ptr())
    kernel("depthwise_input_gradient")(
        TYPES[dy.dtype], dy.is_contiguous(), convolution, *pointers, torch.get_num_threads()
    )
    return dx


def depthwise_weight_gradient(
    x: Tensor,
    dy: Tensor,
    kernel_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    with_bias: bool,
) -> tuple[Tensor, Tensor]:
    """The adjoint in the weight, (channels, 1, *kernel_size); and `with_bias` Σ dy, (channels,), otherwise empty."""
    dweight, dbias = _weight_gradients(x, dy, kernel_size, stride, padding, dilation, with_bias)
    convolution = _convolution(x.shape, dy.shape[2:], kernel_size, stride, padding, dilation)
    kernel("depthwise_weight_gradient")(
        TYPES[x.dtype],
        x.is_contiguous(),
        dy.is_contiguous(),
        convolution,
        x.data_ptr(),
        dy.data_ptr(),
        dweight.data_ptr(),
        dbias.data_ptr() if with_bias else None,
        torch.get_num_threads(),
    )
    return dweight, dbias


def _like(x: Tensor, size: Sequence[int]) -> Tensor:
    batch, channels = x.shape[:2]
    return x.new_empty((batch, channels, *size)) if x.is_contiguous() else empty_dense(x, batch, channels, tuple(size))


def _weight_gradients(
    x: Tensor,
    dy: Tensor,
    kernel_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    with_bias: bool,
) -> tuple[Tensor, Tensor]:
    channels = x.shape[1]
    return x.new_empty((channels, 1, *kernel_size)), x.new_empty(channels if with_bias else 0)


def _convolution(
    shape: Sequence[int],
    out_size: Sequence[int],
    kernel_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> _Convolution:  # type: ignore[valid-type]
    lacking = 5 - len(shape)
    ones, zeros = _ONES[:lacking], _ZEROS[:lacking]
    return _Convolution(
        *shape[:2], *ones, *shape[2:], *ones, *out_size, *ones, *kernel_size,
        *ones, *stride, *ones, *dilation, *zeros, *padding,
    )  # fmt: skip


_operators.impl("depthwise_forward", depthwise_forward, "CPU")
_operators.impl("depthwise_input_gradient", depthwise_input_gradient, "CPU")
_operators.impl("depthwise_weight_gradient", depthwise_weight_gradient, "CPU")
torch.library.register_fake(
    "lenrek::depthwise_forward", lambda x, weight, bias, out_size, *_: _like(x, out_size), lib=_operators
)
torch.library.register_fake(
    "lenrek::depthwise_input_gradient", lambda dy, weight, in_size, *_: _like(dy, in_size), lib=_operators
)
torch.library.register_fake("lenrek::depthwise_weight_gradient", _weight_gradients, lib=_operators)
