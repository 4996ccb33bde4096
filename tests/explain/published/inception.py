"""Branches of unequal depth that end in a concatenation: GoogLeNet, Inception v3, DenseNet."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ConvNorm(nn.Sequential):
    def __init__(self, in_channels: int, out_channels: int, kernel_size, **options) -> None:
        conv = nn.Conv2d(in_channels, out_channels, kernel_size, bias=False, **options)
        super().__init__(conv, nn.BatchNorm2d(out_channels, eps=1e-3), nn.ReLU(inplace=True))


class Branches(nn.Module):
    """The same volume into each branch, their results side by side."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


class GoogLeNet(nn.Module):
    """Szegedy et al. 2015, arXiv:1409.4842, with batch norm, without auxiliary classifiers, as torchvision has it."""

    ROWS = (
        (64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64), None, (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64), (128, 128, 256, 24, 64, 64), (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128), None, (256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128),
    )  # fmt: skip

    def __init__(self, narrower: int = 1, num_classes: int = 1000) -> None:
        super().__init__()
        n = narrower
        self.stem = nn.Sequential(
            ConvNorm(3, 64 // n, 7, stride=2, padding=3), nn.MaxPool2d(3, 2, ceil_mode=True),
            ConvNorm(64 // n, 64 // n, 1), ConvNorm(64 // n, 192 // n, 3, padding=1),
            nn.MaxPool2d(3, 2, ceil_mode=True),
        )  # fmt: skip
        blocks: list[nn.Module] = []
        channels = 192 // n
        for row in self.ROWS:
            if row is None:
                size = 3 if len(blocks) < 5 else 2
                blocks.append(nn.MaxPool2d(size, 2, ceil_mode=True))
                continue
            one, three_in, three, five_in, five, pooled = (max(1, width // n) for width in row)
            blocks.append(
                Branches(
                    ConvNorm(channels, one, 1),
                    nn.Sequential(ConvNorm(channels, three_in, 1), ConvNorm(three_in, three, 3, padding=1)),
                    nn.Sequential(ConvNorm(channels, five_in, 1), ConvNorm(five_in, five, 3, padding=1)),
                    nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), ConvNorm(channels, pooled, 1)),
                )
            )
            channels = one + three + five + pooled
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.stem(x))
        return self.fc(F.dropout(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1), 0.2, self.training))


class InceptionV3(nn.Module):
    """Szegedy et al. 2016, arXiv:1512.00567: kernels factorised into 1×7 and 7×1; without the auxiliary classifier."""

    def __init__(self, narrower: int = 1, num_classes: int = 1000) -> None:
        super().__init__()

        def c(in_channels: int, out_channels: int, kernel_size, **options) -> ConvNorm:
            return ConvNorm(
                in_channels // narrower if in_channels > 3 else 3, out_channels // narrower, kernel_size, **options
            )

        def a(n: int, pooled: int) -> Branches:
            return Branches(
                c(n, 64, 1),
                nn.Sequential(c(n, 48, 1), c(48, 64, 5, padding=2)),
                nn.Sequential(c(n, 64, 1), c(64, 96, 3, padding=1), c(96, 96, 3, padding=1)),
                nn.Sequential(nn.AvgPool2d(3, 1, 1), c(n, pooled, 1)),
            )

        def long(*widths: int, first: tuple[int, int]) -> nn.Sequential:
            """1×1, then 1×7 and 7×1 in turns."""
            kernels = [first, first[::-1]] * len(widths)
            layers = [c(widths[0], widths[1], 1)]
            for before, after, (height, width) in zip(widths[1:], widths[2:], kernels, strict=False):
                layers.append(c(before, after, (height, width), padding=(height // 2, width // 2)))
            return nn.Sequential(*layers)

        def b(w: int) -> Branches:
            return Branches(
                c(768, 192, 1),
                long(768, w, w, 192, first=(1, 7)),
                long(768, w, w, w, w, 192, first=(7, 1)),
                nn.Sequential(nn.AvgPool2d(3, 1, 1), c(768, 192, 1)),
            )

        def both(n: int) -> Branches:
            return Branches(c(n, 384, (1, 3), padding=(0, 1)), c(n, 384, (3, 1), padding=(1, 0)))

        def e(n: int) -> Branches:
            return Branches(
                c(n, 320, 1),
                nn.Sequential(c(n, 384, 1), both(384)),
                nn.Sequential(c(n, 448, 1), c(448, 384, 3, padding=1), both(384)),
                nn.Sequential(nn.AvgPool2d(3, 1, 1), c(n, 192, 1)),
            )

        self.features = nn.Sequential(
            c(3, 32, 3, stride=2), c(32, 32, 3), c(32, 64, 3, padding=1), nn.MaxPool2d(3, 2),
            c(64, 80, 1), c(80, 192, 3), nn.MaxPool2d(3, 2),
            a(192, 32), a(256, 64), a(288, 64),
            Branches(
                c(288, 384, 3, stride=2),
                nn.Sequential(c(288, 64, 1), c(64, 96, 3, padding=1), c(96, 96, 3, stride=2)),
                nn.MaxPool2d(3, 2),
            ),
            b(128), b(160), b(160), b(192),
            Branches(
                nn.Sequential(c(768, 192, 1), c(192, 320, 3, stride=2)),
                nn.Sequential(*long(768, 192, 192, 192, first=(1, 7)), c(192, 192, 3, stride=2)),
                nn.MaxPool2d(3, 2),
            ),
            e(1280), e(2048),
        )  # fmt: skip
        self.fc = nn.Linear(2048 // narrower, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.features(x).mean((2, 3)))


class DenseLayer(nn.Module):
    def __init__(self, in_channels: int, growth: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(in_channels), nn.Conv2d(in_channels, 4 * growth, 1, bias=False)
        self.norm2, self.conv2 = nn.BatchNorm2d(4 * growth), nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, before: list[Tensor]) -> Tensor:
        x = self.conv1(F.relu(self.norm1(torch.cat(before, 1))))
        return self.conv2(F.relu(self.norm2(x)))


class DenseBlock(nn.Module):
    def __init__(self, depth: int, in_channels: int, growth: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(DenseLayer(in_channels + growth * index, growth) for index in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        features = [x]
        for layer in self.layers:
            features.append(layer(features))
        return torch.cat(features, 1)


class DenseNet(nn.Module):
    """Huang et al. 2017, arXiv:1608.06993: every layer reads all those before it."""

    def __init__(self, depths=(6, 12, 24, 16), growth: int = 32, num_classes: int = 1000) -> None:
        super().__init__()
        channels = 2 * growth
        parts: list[nn.Module] = [
            nn.Conv2d(3, channels, 7, 2, 3, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, 1),
        ]  # fmt: skip
        for index, depth in enumerate(depths):
            parts.append(DenseBlock(depth, channels, growth))
            channels += depth * growth
            parts.append(nn.BatchNorm2d(channels))
            if index < len(depths) - 1:
                parts += [nn.ReLU(inplace=True), nn.Conv2d(channels, channels // 2, 1, bias=False), nn.AvgPool2d(2, 2)]
                channels //= 2
        self.features = nn.Sequential(*parts)
        self.classifier = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(torch.flatten(F.adaptive_avg_pool2d(F.relu(self.features(x), inplace=True), (1, 1)), 1))
