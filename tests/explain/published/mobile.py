"""Grouped and depthwise convolutions, squeeze and excitation, shuffled channels."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ResNeXtBlock(nn.Module):
    def __init__(self, in_channels: int, width: int, out_channels: int, groups: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(in_channels, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, stride, 1, groups=groups, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels),
        )  # fmt: skip
        self.shortcut = nn.Sequential()
        if in_channels != out_channels:
            conv = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x)
        y += self.shortcut(x)
        return F.relu(y)


class ResNeXt(nn.Module):
    """Xie et al. 2017, arXiv:1611.05431: ResNeXt-50 32×4d."""

    def __init__(self, depths=(3, 4, 6, 3), groups: int = 32, group_width: int = 4, num_classes: int = 1000) -> None:
        super().__init__()
        channels = 2 * groups
        self.stem = nn.Sequential(nn.Conv2d(3, channels, 7, 2, 3, bias=False), nn.BatchNorm2d(channels), nn.ReLU())
        blocks: list[nn.Module] = [nn.MaxPool2d(3, 2, 1)]
        for stage, depth in enumerate(depths):
            width = groups * group_width * 2**stage
            for index in range(depth):
                blocks.append(ResNeXtBlock(channels, width, 2 * width, groups, 2 if stage and not index else 1))
                channels = 2 * width
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(F.adaptive_avg_pool2d(self.blocks(self.stem(x)), 1).flatten(1))


class ShuffleBlock(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.stride, half = stride, out_channels // 2
        given = in_channels if stride > 1 else half
        self.left = nn.Sequential()
        if stride > 1:
            self.left = nn.Sequential(
                nn.Conv2d(given, given, 3, stride, 1, groups=given, bias=False), nn.BatchNorm2d(given),
                nn.Conv2d(given, half, 1, bias=False), nn.BatchNorm2d(half), nn.ReLU(),
            )  # fmt: skip
        self.right = nn.Sequential(
            nn.Conv2d(given, half, 1, bias=False), nn.BatchNorm2d(half), nn.ReLU(),
            nn.Conv2d(half, half, 3, stride, 1, groups=half, bias=False), nn.BatchNorm2d(half),
            nn.Conv2d(half, half, 1, bias=False), nn.BatchNorm2d(half), nn.ReLU(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        kept, worked = x.chunk(2, 1) if self.stride == 1 else (x, x)
        y = torch.cat([self.left(kept), self.right(worked)], 1)
        batch, channels, height, width = y.shape
        return y.view(batch, 2, channels // 2, height, width).transpose(1, 2).reshape(batch, channels, height, width)


class ShuffleNetV2(nn.Module):
    """Ma et al. 2018, arXiv:1807.11164: half of the channels passes by, and all are shuffled."""

    def __init__(self, depths=(4, 8, 4), widths=(24, 116, 232, 464, 1024), num_classes: int = 1000) -> None:
        super().__init__()
        channels = widths[0]
        self.stem = nn.Sequential(
            nn.Conv2d(3, channels, 3, 2, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
        )
        blocks = []
        for depth, width in zip(depths, widths[1:], strict=False):
            for index in range(depth):
                blocks.append(ShuffleBlock(channels, width, 1 if index else 2))
                channels = width
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Sequential(
            nn.Conv2d(channels, widths[-1], 1, bias=False), nn.BatchNorm2d(widths[-1]), nn.ReLU(inplace=True)
        )
        self.fc = nn.Linear(widths[-1], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.last(self.blocks(self.stem(x))).mean([2, 3]))


class SqueezeExcite(nn.Module):
    """Hu et al. 2018, arXiv:1709.01507."""

    def __init__(self, channels: int, squeezed: int, act: nn.Module, gate: nn.Module) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(channels, squeezed, 1), nn.Conv2d(squeezed, channels, 1)
        self.act, self.gate = act, gate

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(self.fc2(self.act(self.fc1(F.adaptive_avg_pool2d(x, 1)))))


class InvertedResidual(nn.Module):
    def __init__(self, in_channels, expanded, out_channels, kernel_size, stride, excite, act, eps: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        if expanded != in_channels:
            conv = nn.Conv2d(in_channels, expanded, 1, bias=False)
            layers += [conv, nn.BatchNorm2d(expanded, eps), act()]
        depthwise = nn.Conv2d(expanded, expanded, kernel_size, stride, kernel_size // 2, groups=expanded, bias=False)
        layers += [depthwise, nn.BatchNorm2d(expanded, eps), act()]
        if excite:
            layers.append(excite(expanded, in_channels))
        layers += [nn.Conv2d(expanded, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels, eps)]
        self.body = nn.Sequential(*layers)
        self.adds = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x) if self.adds else self.body(x)


def _eighths(channels: float) -> int:
    return int(channels + 4) // 8 * 8


class MobileNetV3(nn.Module):
    """Howard et al. 2019, arXiv:1905.02244: the small one; squeeze and excitation, hard swish."""

    ROWS = (
        (16, 16, 3, 2, True, False), (72, 24, 3, 2, False, False), (88, 24, 3, 1, False, False),
        (96, 40, 5, 2, True, True), (240, 40, 5, 1, True, True), (240, 40, 5, 1, True, True),
        (120, 48, 5, 1, True, True), (144, 48, 5, 1, True, True), (288, 96, 5, 2, True, True),
        (576, 96, 5, 1, True, True), (576, 96, 5, 1, True, True),
    )  # fmt: skip

    def __init__(self, blocks: int = 11, hidden: int = 1024, num_classes: int = 1000) -> None:
        super().__init__()

        def excite(expanded: int, _: int) -> nn.Module:
            return SqueezeExcite(expanded, _eighths(expanded / 4), nn.ReLU(), nn.Hardsigmoid())

        layers: list[nn.Module] = [nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.Hardswish()]
        channels = 16
        for expanded, out, kernel_size, stride, squeezes, hard in self.ROWS[:blocks]:
            act = nn.Hardswish if hard else nn.ReLU
            layers.append(
                InvertedResidual(channels, expanded, out, kernel_size, stride, squeezes and excite, act, 1e-3)
            )
            channels = out
        last = 6 * channels
        layers += [nn.Conv2d(channels, last, 1, bias=False), nn.BatchNorm2d(last), nn.Hardswish()]
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(last, hidden), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(hidden, num_classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.pool(self.features(x)).flatten(1))


class EfficientNet(nn.Module):
    """Tan & Le 2019, arXiv:1905.11946: EfficientNet-B0."""

    ROWS = (
        (1, 16, 3, 1, 1), (6, 24, 3, 2, 2), (6, 40, 5, 2, 2), (6, 80, 3, 2, 3), (6, 112, 5, 1, 3), (6, 192, 5, 2, 4),
        (6, 320, 3, 1, 1),
    )  # fmt: skip

    def __init__(self, stages: int = 7, most_blocks: int = 4, num_classes: int = 1000) -> None:
        super().__init__()

        def excite(expanded: int, in_channels: int) -> nn.Module:
            return SqueezeExcite(expanded, max(1, in_channels // 4), nn.SiLU(), nn.Sigmoid())

        layers: list[nn.Module] = [nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.SiLU()]
        channels = 32
        for expansion, out, kernel_size, stride, depth in self.ROWS[:stages]:
            for index in range(min(depth, most_blocks)):
                step = 1 if index else stride
                layers.append(
                    InvertedResidual(channels, expansion * channels, out, kernel_size, step, excite, nn.SiLU, 1e-5)
                )
                channels = out
        layers += [nn.Conv2d(channels, 4 * channels, 1, bias=False), nn.BatchNorm2d(4 * channels), nn.SiLU()]
        self.features = nn.Sequential(*layers)
        self.fc = nn.Linear(4 * channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(F.dropout(F.adaptive_avg_pool2d(self.features(x), 1).flatten(1), 0.2, self.training))
