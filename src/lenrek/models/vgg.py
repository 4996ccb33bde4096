"""The VGG networks: nothing but 3-wide convolutions and max-pools, with and without batch norm."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from lenrek.models.initialization import initialize_he
from lenrek.models.layers import AdaptiveAvgPool, BatchNorm, Conv, MaxPool
from lenrek.models.registry import IMAGENET, register

SOURCE = "Simonyan & Zisserman 2014, Very Deep Convolutional Networks, arXiv:1409.1556, Table 1"
CHANNELS = (64, 128, 256, 512, 512)
# Convolutions before each of the five max-pools: columns A, B, D and E of the paper's Table 1.
STAGES = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


class VGG(nn.Module):
    """Five stages of 3-wide convolutions, each ended by a max-pool, and three fully connected layers.

    Keys as in torchvision. Convolutions start from He's normal distribution, fully connected layers from N(0, 0.01²).

    Args:
        depth: 11, 13, 16 or 19 layers with weights.
        num_classes, in_channels: outputs and input channels.
        ndim: 1, 2 or 3. The last map is averaged to 7 samples per axis, but in 3-D to 3: 27 places to 2-D's 49, since
            343 would make the first fully connected layer alone 719 million weights (2.9 GB).
        batch_norm: one behind each convolution.
    Source: Simonyan & Zisserman 2014, arXiv:1409.1556, §2.1–2.3.
    """

    def __init__(self, depth: int, num_classes: int, in_channels: int, ndim: int, *, batch_norm: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for repeats, channels in zip(STAGES[depth], CHANNELS, strict=True):
            for _ in range(repeats):
                layers.append(Conv[ndim](in_channels, channels, 3, padding=1))
                if batch_norm:
                    layers.append(BatchNorm[ndim](channels))
                layers.append(nn.ReLU(inplace=True))
                in_channels = channels
            layers.append(MaxPool[ndim](2))
        self.features = nn.Sequential(*layers)
        places = 3 if ndim == 3 else 7
        self.avgpool = AdaptiveAvgPool[ndim](places)
        self.classifier = nn.Sequential(
            nn.Linear(CHANNELS[-1] * places**ndim, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(4096, num_classes),
        )
        initialize_he(self.features)
        for layer in self.classifier:
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=0.01)
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


for _depth in STAGES:
    for _suffix, _note in (("", ""), ("_bn", "; with batch norm")):
        register(
            f"vgg{_depth}{_suffix}",
            ndims=(1, 2, 3),
            min_size=32,
            default_size=224,
            learning_rate=0.001 if _suffix else 0.0003,
            source=SOURCE + _note,
            published=IMAGENET,
        )(partial(VGG, _depth, batch_norm=bool(_suffix)))
