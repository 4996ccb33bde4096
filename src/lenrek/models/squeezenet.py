"""SqueezeNet 1.1: AlexNet's accuracy with a fiftieth of its parameters."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lenrek.models.layers import AdaptiveAvgPool, Conv, MaxPool
from lenrek.models.registry import PublishedInput, register


class Fire(nn.Module):
    """Few 1-wide convolutions squeeze the channels, 1-wide and 3-wide ones expand them again, side by side.

    Source: Iandola et al. 2016, arXiv:1602.07360, §3.2.
    """

    def __init__(self, in_channels: int, squeezed: int, expanded: int, ndim: int) -> None:
        super().__init__()
        self.squeeze = Conv[ndim](in_channels, squeezed, 1)
        self.expand1x1 = Conv[ndim](squeezed, expanded, 1)
        self.expand3x3 = Conv[ndim](squeezed, expanded, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.squeeze(x))
        return torch.cat([self.relu(self.expand1x1(x)), self.relu(self.expand3x3(x))], dim=1)


class SqueezeNet(nn.Module):
    """A convolution, eight `Fire` modules, and a 1-wide convolution whose maps, averaged, are the classes.

    Keys as in torchvision; the names `expand1x1` and `expand3x3` stay in 1-D and 3-D. As published, a ReLU follows the
    last convolution: no output is negative. Convolutions start from He's uniform distribution, the last one from
    N(0, 0.01²).
    """

    def __init__(self, num_classes: int, in_channels: int, ndim: int) -> None:
        super().__init__()
        pool = MaxPool[ndim]
        self.features = nn.Sequential(
            Conv[ndim](in_channels, 64, 3, stride=2),
            nn.ReLU(inplace=True),
            pool(3, 2, ceil_mode=True),
            Fire(64, 16, 64, ndim),
            Fire(128, 16, 64, ndim),
            pool(3, 2, ceil_mode=True),
            Fire(128, 32, 128, ndim),
            Fire(256, 32, 128, ndim),
            pool(3, 2, ceil_mode=True),
            Fire(256, 48, 192, ndim),
            Fire(384, 48, 192, ndim),
            Fire(384, 64, 256, ndim),
            Fire(512, 64, 256, ndim),
        )
        last = Conv[ndim](512, num_classes, 1)
        self.classifier = nn.Sequential(nn.Dropout(0.5), last, nn.ReLU(inplace=True), AdaptiveAvgPool[ndim](1))
        for parameter in self.parameters():
            if parameter.ndim == 1:
                nn.init.zeros_(parameter)
            else:
                nn.init.kaiming_uniform_(parameter, nonlinearity="relu")
        nn.init.normal_(last.weight, std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x)).flatten(1)


@register(
    "squeezenet1_1",
    ndims=(1, 2, 3),
    min_size=17,
    default_size=227,
    learning_rate=0.001,
    source="Iandola et al. 2016, SqueezeNet, arXiv:1602.07360; version 1.1 of the authors' release",
    published=PublishedInput(crop_fraction=227 / 256),
)
def squeezenet1_1(num_classes: int, in_channels: int, ndim: int) -> SqueezeNet:
    return SqueezeNet(num_classes, in_channels, ndim)
