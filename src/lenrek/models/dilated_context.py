"""The dilated context module: a wide view of every position, at full resolution and with few layers."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from lenrek.errors import OptionError
from lenrek.models.conv_norm import conv_norm_activation
from lenrek.models.initialization import initialize_he
from lenrek.models.layers import AdaptiveAvgPool, Conv
from lenrek.models.registry import register

SOURCE = "Yu & Koltun 2016, Multi-Scale Context Aggregation by Dilated Convolutions, arXiv:1511.07122, Table 1"

KERNEL_SIZES = (3, 3, 3, 3, 3, 3, 3, 1)
DILATIONS = (1, 1, 2, 4, 8, 16, 1, 1)
WIDTHS = {"basic": (1, 1, 1, 1, 1, 1, 1, 1), "large": (2, 2, 4, 8, 16, 32, 32, 1)}  # in multiples of the channels


class DilatedContext(nn.Module):
    r"""Eight convolutions with dilations 1 1 2 4 8 16 1 1, ReLU after all but the last: each output sees 67 samples
    per axis. As many channels and positions come out as go in; zeros are what lies outside.

    Fresh weights are the identity, so that the module can be put behind features which are not negative and at first
    changes nothing. In the large module, where a channel is spread over several and gathered again, a little noise
    makes them differ.

    Args:
        channels: of the input and of the output.
        ndim: number of spatial dimensions.
        widths: "basic", every layer has `channels`; "large", 2 2 4 8 16 32 32 and 1 times as many.
    Raises:
        OptionError: no such `widths`.
    Source: Yu & Koltun 2016, arXiv:1511.07122, Table 1.
    Example:
        >>> features = torch.rand(1, 4, 9, 14)
        >>> torch.equal(DilatedContext(channels=4, ndim=2)(features), features)
        True
    """

    def __init__(self, channels: int, ndim: int, widths: Literal["basic", "large"] = "basic") -> None:
        if widths not in WIDTHS:
            raise OptionError(f"DilatedContext: widths is {widths!r}, but there are only {' and '.join(WIDTHS)}.")
        super().__init__()
        layers: list[nn.Module] = []
        in_channels = channels
        for kernel_size, dilation, width in zip(KERNEL_SIZES, DILATIONS, WIDTHS[widths], strict=True):
            padding = dilation * (kernel_size // 2)
            convolution = Conv[ndim](in_channels, width * channels, kernel_size, padding=padding, dilation=dilation)
            initialize_identity(convolution, channels)
            layers += [convolution, nn.ReLU(inplace=True)]
            in_channels = width * channels
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


@torch.no_grad()
def initialize_identity(convolution: nn.Conv1d | nn.Conv2d | nn.Conv3d, channels: int) -> None:
    """The paper's Eq. 5: output b starts as C / out times the sum of those inputs a that stand for the same of the C
    channels, ⌊a·C / in⌋ = ⌊b·C / out⌋. Its Eq. 4, the plain identity, is the case in = out = C, which needs no noise.
    """
    weight = convolution.weight
    out_channels, in_channels = weight.shape[:2]
    gain = channels / out_channels
    noise = 0.0 if in_channels == out_channels == channels else 0.01 * gain  # the paper: σ far below the gain
    nn.init.normal_(weight, std=noise)
    output_stands_for = torch.arange(out_channels) * channels // out_channels
    input_stands_for = torch.arange(in_channels) * channels // in_channels
    centre = weight.flatten(2)[..., weight[0, 0].numel() // 2]
    centre[output_stands_for[:, None] == input_stands_for] = gain
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)


class DilatedContextClassifier(nn.Module):
    """A stem that halves the size, a `DilatedContext`, the mean over positions, one linear layer."""

    def __init__(
        self,
        widths: Literal["basic", "large"],
        channels: int,
        num_classes: int,
        in_channels: int,
        ndim: int,
    ) -> None:
        super().__init__()
        self.stem = conv_norm_activation(in_channels, channels, ndim, kernel_size=3, stride=2)
        initialize_he(self.stem)
        self.context = DilatedContext(channels, ndim, widths)
        self.avgpool = AdaptiveAvgPool[ndim](1)
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.avgpool(self.context(self.stem(x))).flatten(1))


@register("dilated_context", ndims=(1, 2, 3), min_size=1, default_size=64, source=f"{SOURCE}, basic")
def dilated_context(num_classes: int, in_channels: int, ndim: int) -> DilatedContextClassifier:
    return DilatedContextClassifier("basic", 64, num_classes, in_channels, ndim)


@register("dilated_context_large", ndims=(1, 2, 3), min_size=1, default_size=64, source=f"{SOURCE}, large")
def dilated_context_large(num_classes: int, in_channels: int, ndim: int) -> DilatedContextClassifier:
    return DilatedContextClassifier("large", 16, num_classes, in_channels, ndim)
