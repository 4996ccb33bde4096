"""Atrous spatial pyramid pooling: the same features seen at several scales side by side."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lenrek.errors import OptionError
from lenrek.models.conv_norm import conv_norm_activation
from lenrek.models.initialization import initialize_he
from lenrek.models.layers import AdaptiveAvgPool
from lenrek.models.registry import register


class ImagePooling(nn.Sequential):
    """The mean over all positions, a 1-wide convolution, and the result at every position again."""

    def __init__(self, in_channels: int, out_channels: int, ndim: int) -> None:
        super().__init__(
            AdaptiveAvgPool[ndim](1), *conv_norm_activation(in_channels, out_channels, ndim, kernel_size=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).expand(-1, -1, *x.shape[2:])


class ASPP(nn.Module):
    """Five branches over one input, a 1-wide convolution, a 3-wide one per rate and image pooling, joined by another
    1-wide convolution. Batch norm and ReLU follow each. Size stays; keys are torchvision's.

    Args:
        in_channels, out_channels: of the input, and of each branch and the output (the paper: 256).
        ndim: number of spatial dimensions.
        rates: dilation of each 3-wide branch, in samples. On maps not wider than a rate all but the centre tap
            fall on padding.
        dropout: probability, behind the joining convolution.
    Raises:
        OptionError: no rate, or one below 1.
    Source: Chen et al. 2017, Rethinking Atrous Convolution for Semantic Image Segmentation, arXiv:1706.05587, §3.3.
    Example:
        >>> ASPP(in_channels=6, out_channels=4, ndim=2)(torch.rand(2, 6, 9, 14)).shape
        torch.Size([2, 4, 9, 14])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        ndim: int,
        rates: Sequence[int] = (6, 12, 18),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not rates or min(rates) < 1:
            raise OptionError(f"ASPP: rates is {tuple(rates)}, but it takes at least one rate, and each at least 1.")
        self.convs = nn.ModuleList(
            [
                conv_norm_activation(in_channels, out_channels, ndim, kernel_size=1),
                *(conv_norm_activation(in_channels, out_channels, ndim, kernel_size=3, dilation=r) for r in rates),
                ImagePooling(in_channels, out_channels, ndim),
            ]
        )
        joined = conv_norm_activation(len(self.convs) * out_channels, out_channels, ndim, kernel_size=1)
        self.project = nn.Sequential(*joined, nn.Dropout(dropout))
        initialize_he(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.project(torch.cat([branch(x) for branch in self.convs], dim=1))


class ASPPClassifier(nn.Module):
    """A stem to 64 channels at half size, `ASPP`, the mean over positions, one linear layer.

    64 px become 32, about the 33 for which the published rates were chosen.
    """

    def __init__(self, num_classes: int, in_channels: int, ndim: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            conv_norm_activation(in_channels, 32, ndim, kernel_size=3, stride=2),
            conv_norm_activation(32, 64, ndim, kernel_size=3),
        )
        self.aspp = ASPP(64, 64, ndim)
        self.avgpool = AdaptiveAvgPool[ndim](1)
        self.fc = nn.Linear(64, num_classes)
        initialize_he(self.stem)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.avgpool(self.aspp(self.stem(x))).flatten(1))


@register(
    "aspp",
    ndims=(1, 2, 3),
    min_size=1,
    default_size=64,
    source="Chen et al. 2017, Rethinking Atrous Convolution for Semantic Image Segmentation, arXiv:1706.05587, §3.3",
)
def aspp(num_classes: int, in_channels: int, ndim: int) -> ASPPClassifier:
    return ASPPClassifier(num_classes, in_channels, ndim)
