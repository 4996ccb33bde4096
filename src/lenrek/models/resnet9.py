"""ResNet-9: few, wide layers and only two residual blocks, made to train in minutes."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from lenrek.models.conv_norm import conv_norm_activation
from lenrek.models.layers import MaxPool
from lenrek.models.registry import register

SOURCE = "Page 2018, How to Train Your ResNet (myrtle.ai, the network of the DAWNBench CIFAR-10 entry)"


class Residual(nn.Module):
    """x + two convolutions of x, each with batch norm and ReLU."""

    def __init__(self, channels: int, ndim: int) -> None:
        super().__init__()
        self.conv1 = conv_norm_activation(channels, channels, ndim, kernel_size=3)
        self.conv2 = conv_norm_activation(channels, channels, ndim, kernel_size=3)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(self.conv1(x))


class ResNet9(nn.Module):
    """Four convolutions of 1, 2, 4 and 8 times `width` channels, all but the first followed by a 2-fold max-pool.

    A residual block stands after the second and the fourth; then the maximum over all positions, and a linear layer.

    The paper scales the logits by 1/8 to suit its learning rate; here the linear layer does without.

    Args:
        width: 64 as published.
        num_classes, in_channels: outputs and input channels.
        ndim: 1, 2 or 3.
    """

    def __init__(self, width: int, num_classes: int, in_channels: int, ndim: int) -> None:
        super().__init__()
        pool = MaxPool[ndim]
        self.features = nn.Sequential(
            conv_norm_activation(in_channels, width, ndim, kernel_size=3),
            conv_norm_activation(width, 2 * width, ndim, kernel_size=3),
            pool(2),
            Residual(2 * width, ndim),
            conv_norm_activation(2 * width, 4 * width, ndim, kernel_size=3),
            pool(2),
            conv_norm_activation(4 * width, 8 * width, ndim, kernel_size=3),
            pool(2),
            Residual(8 * width, ndim),
        )
        self.fc = nn.Linear(8 * width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.features(x).flatten(2).amax(2))


for _name, _width, _note in (("resnet9", 64, ""), ("resnet9_small", 16, "; a quarter of the channels")):
    register(_name, ndims=(1, 2, 3), min_size=8, default_size=32, source=SOURCE + _note)(partial(ResNet9, _width))
