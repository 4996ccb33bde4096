"""Residual networks: each block learns what to add to its input."""

from __future__ import annotations

from torch import Tensor, nn

from lenrek.models.initialization import initialize_he
from lenrek.models.layers import AdaptiveAvgPool, BatchNorm, Conv, MaxPool
from lenrek.models.registry import IMAGENET, register

SOURCE = "He et al. 2015, Deep Residual Learning for Image Recognition, arXiv:1512.03385, Table 1"


class BasicBlock(nn.Module):
    """Two 3-wide convolutions and the shortcut around them."""

    expansion = 1

    def __init__(self, in_channels: int, channels: int, ndim: int, stride: int) -> None:
        super().__init__()
        self.conv1 = Conv[ndim](in_channels, channels, 3, stride, padding=1, bias=False)
        self.bn1 = BatchNorm[ndim](channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = Conv[ndim](channels, channels, 3, padding=1, bias=False)
        self.bn2 = BatchNorm[ndim](channels)
        self.downsample = projection(in_channels, channels, ndim, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(y)) + self.downsample(x))


class Bottleneck(nn.Module):
    """1-wide down to `channels`, 3-wide there, 1-wide up to four times as many, and the shortcut around them.

    The stride sits on the 3-wide convolution, not on the first as published: "v1.5", what public checkpoints have.
    """

    expansion = 4

    def __init__(self, in_channels: int, channels: int, ndim: int, stride: int) -> None:
        super().__init__()
        out_channels = self.expansion * channels
        self.conv1 = Conv[ndim](in_channels, channels, 1, bias=False)
        self.bn1 = BatchNorm[ndim](channels)
        self.conv2 = Conv[ndim](channels, channels, 3, stride, padding=1, bias=False)
        self.bn2 = BatchNorm[ndim](channels)
        self.conv3 = Conv[ndim](channels, out_channels, 1, bias=False)
        self.bn3 = BatchNorm[ndim](out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = projection(in_channels, out_channels, ndim, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        return self.relu(self.bn3(self.conv3(y)) + self.downsample(x))


def projection(in_channels: int, out_channels: int, ndim: int, stride: int) -> nn.Sequential:
    """The shortcut: the identity where sizes agree, else a learned 1-wide convolution (the paper's option B)."""
    if stride == 1 and in_channels == out_channels:
        return nn.Sequential()
    return nn.Sequential(
        Conv[ndim](in_channels, out_channels, 1, stride, bias=False),
        BatchNorm[ndim](out_channels),
    )


class ResNet(nn.Module):
    """A stem, four stages of residual blocks, the mean over positions, one linear layer. Keys are torchvision's.

    Args:
        block: what the stages are made of.
        depths: blocks per stage.
        small_images: a 3-wide stem of stride 1 without max-pool, so that 28 to 64 px images reach the last stage an
            eighth of their size and not a thirty-second.
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        depths: tuple[int, int, int, int],
        num_classes: int,
        in_channels: int,
        ndim: int,
        *,
        small_images: bool = False,
    ) -> None:
        super().__init__()
        if small_images:
            self.conv1 = Conv[ndim](in_channels, 64, 3, padding=1, bias=False)
        else:
            self.conv1 = Conv[ndim](in_channels, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = BatchNorm[ndim](64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.Identity() if small_images else MaxPool[ndim](3, stride=2, padding=1)
        self.layer1 = stage(block, depths[0], 64, 64, ndim, stride=1)
        self.layer2 = stage(block, depths[1], 64 * block.expansion, 128, ndim, stride=2)
        self.layer3 = stage(block, depths[2], 128 * block.expansion, 256, ndim, stride=2)
        self.layer4 = stage(block, depths[3], 256 * block.expansion, 512, ndim, stride=2)
        self.avgpool = AdaptiveAvgPool[ndim](1)
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        initialize_he(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))


def stage(
    block: type[BasicBlock] | type[Bottleneck], depth: int, in_channels: int, channels: int, ndim: int, *, stride: int
) -> nn.Sequential:
    """`depth` blocks, the first of which takes the stride."""
    blocks = [block(in_channels, channels, ndim, stride)]
    blocks += [block(channels * block.expansion, channels, ndim, 1) for _ in range(depth - 1)]
    return nn.Sequential(*blocks)


@register("resnet18", ndims=(1, 2, 3), min_size=1, default_size=224, source=SOURCE, published=IMAGENET)
def resnet18(num_classes: int, in_channels: int, ndim: int) -> ResNet:
    return ResNet(BasicBlock, (2, 2, 2, 2), num_classes, in_channels, ndim)


@register("resnet18_cifar", ndims=(1, 2, 3), min_size=1, default_size=32, source=f"{SOURCE}; 3-wide stem, no max-pool")
def resnet18_cifar(num_classes: int, in_channels: int, ndim: int) -> ResNet:
    return ResNet(BasicBlock, (2, 2, 2, 2), num_classes, in_channels, ndim, small_images=True)


@register("resnet34", ndims=(1, 2, 3), min_size=1, default_size=224, source=SOURCE, published=IMAGENET)
def resnet34(num_classes: int, in_channels: int, ndim: int) -> ResNet:
    return ResNet(BasicBlock, (3, 4, 6, 3), num_classes, in_channels, ndim)


@register(
    "resnet50",
    ndims=(1, 2, 3),
    min_size=1,
    default_size=224,
    source=f"{SOURCE}; stride on the 3-wide (v1.5)",
    published=IMAGENET,
)
def resnet50(num_classes: int, in_channels: int, ndim: int) -> ResNet:
    return ResNet(Bottleneck, (3, 4, 6, 3), num_classes, in_channels, ndim)
