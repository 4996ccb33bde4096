"""MobileNetV2: thin layers are joined, and each widens itself only for its cheap depthwise convolution."""

from __future__ import annotations

from torch import Tensor, nn

from lenrek.models.conv_norm import conv_norm_activation
from lenrek.models.initialization import initialize_he
from lenrek.models.layers import AdaptiveAvgPool, BatchNorm, Conv
from lenrek.models.registry import IMAGENET, register

# Expansion, channels, blocks, stride of the first block: the paper's Table 2.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class InvertedResidual(nn.Module):
    """Widen by `expansion`, filter each channel by itself, narrow without activation; add the input if sizes agree."""

    def __init__(self, in_channels: int, out_channels: int, ndim: int, *, stride: int, expansion: int) -> None:
        super().__init__()
        width = expansion * in_channels
        widen = [conv_norm_activation(in_channels, width, ndim, kernel_size=1, activation=nn.ReLU6)]
        self.conv = nn.Sequential(
            *(widen if expansion > 1 else []),
            conv_norm_activation(width, width, ndim, kernel_size=3, stride=stride, groups=width, activation=nn.ReLU6),
            Conv[ndim](width, out_channels, 1, bias=False),
            BatchNorm[ndim](out_channels),
        )
        self.has_shortcut = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.has_shortcut else self.conv(x)


class MobileNetV2(nn.Module):
    """A stem, 17 `InvertedResidual` blocks, a last 1-wide convolution, the mean over positions, a linear layer with
    dropout 0.2. Keys are torchvision's, at width 1.0."""

    def __init__(self, num_classes: int, in_channels: int, ndim: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            conv_norm_activation(in_channels, 32, ndim, kernel_size=3, stride=2, activation=nn.ReLU6)
        ]
        width = 32
        for expansion, channels, blocks, stride in STAGES:
            for block in range(blocks):
                first_stride = stride if block == 0 else 1
                layers.append(InvertedResidual(width, channels, ndim, stride=first_stride, expansion=expansion))
                width = channels
        layers.append(conv_norm_activation(width, 1280, ndim, kernel_size=1, activation=nn.ReLU6))
        self.features = nn.Sequential(*layers)
        self.avgpool = AdaptiveAvgPool[ndim](1)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, num_classes))
        initialize_he(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


@register(
    "mobilenet_v2",
    ndims=(1, 2, 3),
    min_size=1,
    default_size=224,
    source="Sandler et al. 2018, MobileNetV2: Inverted Residuals and Linear Bottlenecks, arXiv:1801.04381, Table 2",
    published=IMAGENET,
)
def mobilenet_v2(num_classes: int, in_channels: int, ndim: int) -> MobileNetV2:
    return MobileNetV2(num_classes, in_channels, ndim)
