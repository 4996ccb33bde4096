"""The thin residual networks for 32 px images: 6n + 2 layers, shortcuts without parameters."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from lenrek.models.initialization import initialize_he
from lenrek.models.layers import AdaptiveAvgPool, BatchNorm, Conv
from lenrek.models.registry import PublishedInput, register

SOURCE = "He et al. 2015, Deep Residual Learning for Image Recognition, arXiv:1512.03385, §4.2"


class SubsampleShortcut(nn.Module):
    """Every second sample per axis, zeros for the new channels, half before and half after (the paper's option A).

    Example:
        >>> import torch
        >>> SubsampleShortcut(1, 3)(torch.arange(5.).reshape(1, 1, 5))
        tensor([[[0., 0., 0.],
                 [0., 2., 4.],
                 [0., 0., 0.]]])
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.before = (out_channels - in_channels) // 2
        self.after = out_channels - in_channels - self.before

    def forward(self, x: Tensor) -> Tensor:
        spatial = x.ndim - 2
        every_second: list[slice] = [slice(None), slice(None)] + [slice(None, None, 2)] * spatial
        return F.pad(x[tuple(every_second)], (0, 0) * spatial + (self.before, self.after))


class OptionABlock(nn.Module):
    """Two 3-wide convolutions, and around them the identity or, where the stride is 2, a `SubsampleShortcut`."""

    def __init__(self, in_channels: int, channels: int, ndim: int, stride: int) -> None:
        super().__init__()
        self.conv1 = Conv[ndim](in_channels, channels, 3, stride, padding=1, bias=False)
        self.bn1 = BatchNorm[ndim](channels)
        self.conv2 = Conv[ndim](channels, channels, 3, padding=1, bias=False)
        self.bn2 = BatchNorm[ndim](channels)
        self.shortcut = SubsampleShortcut(in_channels, channels) if stride == 2 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class CifarResNet(nn.Module):
    """A 3-wide stem and three stages of `depth` blocks with 16, 32 and 64 channels, at full, half and quarter size."""

    def __init__(self, depth: int, num_classes: int, in_channels: int, ndim: int) -> None:
        super().__init__()
        self.conv1 = Conv[ndim](in_channels, 16, 3, padding=1, bias=False)
        self.bn1 = BatchNorm[ndim](16)
        self.layer1 = stage(depth, 16, 16, ndim, stride=1)
        self.layer2 = stage(depth, 16, 32, ndim, stride=2)
        self.layer3 = stage(depth, 32, 64, ndim, stride=2)
        self.avgpool = AdaptiveAvgPool[ndim](1)
        self.linear = nn.Linear(64, num_classes)
        initialize_he(self)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(self.avgpool(x).flatten(1))


def stage(depth: int, in_channels: int, channels: int, ndim: int, *, stride: int) -> nn.Sequential:
    """`depth` blocks, the first of which takes the stride."""
    first = OptionABlock(in_channels, channels, ndim, stride)
    return nn.Sequential(first, *[OptionABlock(channels, channels, ndim, 1) for _ in range(depth - 1)])


@register("resnet20", ndims=(1, 2, 3), min_size=1, default_size=32, source=SOURCE, published=PublishedInput())
def resnet20(num_classes: int, in_channels: int, ndim: int) -> CifarResNet:
    return CifarResNet(3, num_classes, in_channels, ndim)


@register("resnet32", ndims=(1, 2, 3), min_size=1, default_size=32, source=SOURCE, published=PublishedInput())
def resnet32(num_classes: int, in_channels: int, ndim: int) -> CifarResNet:
    return CifarResNet(5, num_classes, in_channels, ndim)


@register("resnet44", ndims=(1, 2, 3), min_size=1, default_size=32, source=SOURCE, published=PublishedInput())
def resnet44(num_classes: int, in_channels: int, ndim: int) -> CifarResNet:
    return CifarResNet(7, num_classes, in_channels, ndim)


@register("resnet56", ndims=(1, 2, 3), min_size=1, default_size=32, source=SOURCE, published=PublishedInput())
def resnet56(num_classes: int, in_channels: int, ndim: int) -> CifarResNet:
    return CifarResNet(9, num_classes, in_channels, ndim)
