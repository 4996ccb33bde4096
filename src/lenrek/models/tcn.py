"""The temporal convolutional network: causal convolutions whose reach doubles from block to block."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from lenrek.errors import OptionError
from lenrek.models.layers import AdaptiveAvgPool
from lenrek.models.registry import register

SOURCE = (
    "Bai, Kolter & Koltun 2018, An Empirical Evaluation of Generic Convolutional and Recurrent Networks for Sequence "
    "Modeling, arXiv:1803.01271"
)


class CausalConv1d(nn.Sequential):
    """Weight-normalised convolution whose output at time t sees the input up to stride·t and nothing later.

    Zeros stand before the first sample, so that a stride s makes ⌈size / s⌉ of size samples. Weight norm and not batch
    norm, as published: statistics over a whole recording would tell the past about the future. Fresh weights are He's,
    times `gain`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        gain: float = 1.0,
    ) -> None:
        convolution = nn.Conv1d(in_channels, out_channels, kernel_size, stride, dilation=dilation)
        nn.init.normal_(convolution.weight, std=gain * (2 / (in_channels * kernel_size)) ** 0.5)
        super().__init__(nn.ConstantPad1d((dilation * (kernel_size - 1), 0), 0.0), weight_norm(convolution))


class TemporalBlock(nn.Module):
    """Two causal convolutions, each with ReLU and dropout of whole channels, and a shortcut around them.

    `gain` scales what a fresh block adds to its shortcut.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, dilation: int, dropout: float, gain: float
    ) -> None:
        super().__init__()
        self.conv1 = CausalConv1d(in_channels, out_channels, kernel_size, dilation=dilation)
        self.conv2 = CausalConv1d(out_channels, out_channels, kernel_size, dilation=dilation, gain=gain)
        self.dropout = nn.Dropout1d(dropout)
        self.downsample = nn.Identity() if in_channels == out_channels else nn.Conv1d(in_channels, out_channels, 1)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.dropout(self.relu(self.conv1(x)))
        y = self.dropout(self.relu(self.conv2(y)))
        return self.relu(y + self.downsample(x))


class TemporalConvNet(nn.Module):
    """Residual blocks of causal convolutions, the i-th with dilation 2^i: a sequence in, one of equal length out.

    With L blocks the output at time t sees 1 + 2·(kernel_size − 1)·(2^L − 1) samples, the last of them at t.

    Args:
        in_channels: of the sequence.
        channels: of each block's output; as many blocks as numbers.
        kernel_size: taps of each convolution.
        dropout: probability that a channel is zeroed, behind each convolution.
    Raises:
        OptionError: no block.
    Source: Bai, Kolter & Koltun 2018, arXiv:1803.01271, §3.
    Example:
        >>> import torch
        >>> TemporalConvNet(in_channels=3, channels=(16, 16, 8), kernel_size=3)(torch.zeros(2, 3, 50)).shape
        torch.Size([2, 8, 50])
    """

    def __init__(self, in_channels: int, channels: Sequence[int], kernel_size: int = 3, dropout: float = 0.0) -> None:
        if not channels:
            raise OptionError("TemporalConvNet: channels is empty, but each block needs its number of channels.")
        # With L blocks that each add 1/L of their input's variance, the sum stays below e times it (Hanin & Rolnick
        # 2018, arXiv:1803.01719). The published N(0, 0.01) hardly moves for the first epochs on raw sound.
        gain = len(channels) ** -0.5
        before = (in_channels, *channels[:-1])
        super().__init__()
        self.network = nn.Sequential(
            *(
                TemporalBlock(before[level], channels[level], kernel_size, 2**level, dropout, gain)
                for level in range(len(channels))
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)


class TCNClassifier(nn.Module):
    """A strided causal convolution, a `TemporalConvNet`, the mean over time, one linear layer.

    The stem, 80 taps and a stride of 16 (10 and 2 ms at 8 kHz), makes 500 steps of a second of sound; the seven blocks
    behind it see 509. The paper reads the last step; the mean serves recordings that end in silence.
    """

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(CausalConv1d(in_channels, 64, kernel_size=80, stride=16), nn.ReLU())
        self.tcn = TemporalConvNet(64, (64,) * 7, kernel_size=3, dropout=0.1)
        self.avgpool = AdaptiveAvgPool[1](1)
        self.fc = nn.Linear(64, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.avgpool(self.tcn(self.stem(x))).flatten(1))


@register("tcn", ndims=(1,), min_size=1, default_size=8000, source=SOURCE)
def tcn(num_classes: int, in_channels: int, ndim: int) -> TCNClassifier:
    return TCNClassifier(num_classes, in_channels)
