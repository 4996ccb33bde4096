"""A result per pixel: volumes of several scales meet."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class UNet(nn.Module):
    """Ronneberger et al. 2015, arXiv:1505.04597, padded; the 3-D one is Çiçek et al. 2016, arXiv:1606.06650."""

    def __init__(self, widths=(64, 128, 256, 512, 1024), in_channels=1, num_classes=2, ndim: int = 2) -> None:
        super().__init__()
        conv, norm = (nn.Conv2d, nn.BatchNorm2d) if ndim == 2 else (nn.Conv3d, nn.BatchNorm3d)
        up = nn.ConvTranspose2d if ndim == 2 else nn.ConvTranspose3d

        def double(before: int, after: int) -> nn.Sequential:
            return nn.Sequential(
                conv(before, after, 3, padding=1, bias=False), norm(after), nn.ReLU(),
                conv(after, after, 3, padding=1, bias=False), norm(after), nn.ReLU(),
            )  # fmt: skip

        self.down = nn.ModuleList(map(double, (in_channels, *widths[:-1]), widths))
        self.pool = nn.MaxPool2d(2) if ndim == 2 else nn.MaxPool3d(2)  # one module, used at every scale
        self.up = nn.ModuleList(up(deep, high, 2, 2) for high, deep in pairwise(widths))
        self.join = nn.ModuleList(double(2 * width, width) for width in widths[:-1])
        self.last = conv(widths[0], num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        kept = []
        for index, block in enumerate(self.down):
            x = block(self.pool(x) if index else x)
            kept.append(x)
        for index in reversed(range(len(self.up))):
            x = self.join[index](torch.cat([kept[index], self.up[index](x)], 1))
        return self.last(x)


class FPN(nn.Module):
    """Lin et al. 2017, arXiv:1612.03144: the top of a plain backbone goes back down; a dict of results."""

    def __init__(self, widths=(16, 24, 32), out_channels: int = 16) -> None:
        super().__init__()
        self.backbone = nn.ModuleList(
            nn.Sequential(nn.Conv2d(before, after, 3, 2, 1), nn.ReLU())
            for before, after in zip((3, *widths), widths, strict=False)
        )
        self.lateral = nn.ModuleList(nn.Conv2d(width, out_channels, 1) for width in widths)
        self.smooth = nn.ModuleList(nn.Conv2d(out_channels, out_channels, 3, padding=1) for _ in widths)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        maps = []
        for stage, lateral in zip(self.backbone, self.lateral, strict=True):
            x = stage(x)
            maps.append(lateral(x))
        for index in reversed(range(len(maps) - 1)):
            maps[index] = maps[index] + F.interpolate(maps[index + 1], maps[index].shape[-2:], mode="nearest")
        found = {
            f"p{index + 2}": smooth(one) for index, (smooth, one) in enumerate(zip(self.smooth, maps, strict=True))
        }
        found["pool"] = F.max_pool2d(maps[-1], 1, 2)
        return found


class HRNet(nn.Module):
    """Wang et al. 2020, arXiv:1908.07919, two scales: each is computed on, and each gets the other's result."""

    def __init__(self, widths=(12, 20), fusions: int = 2, num_classes: int = 3) -> None:
        super().__init__()
        high, low = widths
        conv = partial(nn.Conv2d, kernel_size=3, padding=1, bias=False)
        self.stem = nn.Sequential(conv(3, high, stride=2), nn.BatchNorm2d(high), nn.ReLU())
        self.split = nn.Sequential(conv(high, low, stride=2), nn.BatchNorm2d(low), nn.ReLU())
        self.stages = nn.ModuleList(
            nn.ModuleDict(
                {
                    "high": nn.Sequential(conv(high, high), nn.BatchNorm2d(high), nn.ReLU()),
                    "low": nn.Sequential(conv(low, low), nn.BatchNorm2d(low), nn.ReLU()),
                    "down": nn.Sequential(conv(high, low, stride=2), nn.BatchNorm2d(low)),
                    "up": nn.Sequential(nn.Conv2d(low, high, 1, bias=False), nn.BatchNorm2d(high)),
                }
            )
            for _ in range(fusions)
        )
        self.last = nn.Conv2d(high + low, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        high = self.stem(x)
        low = self.split(high)
        for stage in self.stages:
            high, low = stage["high"](high), stage["low"](low)
            up = F.interpolate(stage["up"](low), scale_factor=2, mode="nearest")
            high, low = F.relu(high + up), F.relu(low + stage["down"](high))
        low = F.interpolate(low, high.shape[-2:], mode="bilinear", align_corners=True)
        return self.last(torch.cat([high, low], 1))


class DeepLab(nn.Module):
    """Chen et al. 2017, arXiv:1706.05587: parallel dilated convolutions, and one branch that sees the whole image."""

    def __init__(self, width: int = 16, dilations=(2, 4, 6), num_classes: int = 5) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(3, width, 3, 2, 1), nn.ReLU(), nn.Conv2d(width, width, 3, 2, 1), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=2, dilation=2), nn.ReLU(),
        )  # fmt: skip
        self.branches = nn.ModuleList(
            [nn.Conv2d(width, width, 1), *(nn.Conv2d(width, width, 3, padding=d, dilation=d) for d in dilations)]
        )
        self.whole = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(width, width, 1), nn.ReLU())
        self.last = nn.Conv2d(width * (2 + len(dilations)), num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.backbone(x)
        maps = [branch(y) for branch in self.branches]
        maps.append(F.interpolate(self.whole(y), size=y.shape[-2:], mode="bilinear", align_corners=False))
        return F.interpolate(self.last(torch.cat(maps, 1)), size=x.shape[-2:], mode="bilinear", align_corners=False)


class DCGAN(nn.Module):
    """Radford et al. 2016, arXiv:1511.06434: the generator, from 100 numbers to an image of 64×64."""

    def __init__(self, width: int = 64, in_channels: int = 100, out_channels: int = 3) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = in_channels
        for index, times in enumerate((8, 4, 2, 1)):
            stride, padding = (2, 1) if index else (1, 0)
            layers += [
                nn.ConvTranspose2d(channels, times * width, 4, stride, padding, bias=False),
                nn.BatchNorm2d(times * width), nn.ReLU(True),
            ]  # fmt: skip
            channels = times * width
        self.main = nn.Sequential(*layers, nn.ConvTranspose2d(channels, out_channels, 4, 2, 1, bias=False), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        return self.main(x)
