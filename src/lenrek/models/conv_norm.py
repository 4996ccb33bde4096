"""Convolution, batch norm, activation: the block most networks since 2015 are made of."""

from __future__ import annotations

from torch import nn

from lenrek.models.layers import BatchNorm, Conv


def conv_norm_activation(
    in_channels: int,
    out_channels: int,
    ndim: int,
    *,
    kernel_size: int,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    activation: type[nn.Module] = nn.ReLU,
) -> nn.Sequential:
    """Convolution (0), batch norm (1) and in-place activation (2), under the key names torchvision gives them.

    Zeros around the input keep its size when the kernel is odd, so that with a stride s it becomes ⌈size / s⌉. The
    convolution has no bias: the batch norm's shift is one.

    Example:
        >>> import torch
        >>> conv_norm_activation(3, 8, 2, kernel_size=3, stride=2)(torch.zeros(2, 3, 9, 14)).shape
        torch.Size([2, 8, 5, 7])
    """
    padding = dilation * (kernel_size - 1) // 2
    return nn.Sequential(
        Conv[ndim](
            in_channels, out_channels, kernel_size, stride, padding, dilation=dilation, groups=groups, bias=False
        ),
        BatchNorm[ndim](out_channels),
        activation(inplace=True),
    )
