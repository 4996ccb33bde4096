"""AlexNet, in the one-column form whose weights are public."""

from __future__ import annotations

from torch import Tensor, nn

from lenrek.models.layers import AdaptiveAvgPool, Conv, MaxPool
from lenrek.models.registry import IMAGENET, register


class AlexNet(nn.Module):
    """Five convolutions, three max-pools, three fully connected layers; keys as in torchvision.

    Args:
        num_classes, in_channels: outputs and input channels.
        ndim: 1, 2 or 3. The last map is averaged to 6 samples per axis, but in 3-D to 3: 27 places to 2-D's 36, since
            216 would make the first fully connected layer alone 226 million weights.
    Source: Krizhevsky 2014, One weird trick for parallelizing convolutional neural networks, arXiv:1404.5997, §5; the
        layers of Krizhevsky, Sutskever & Hinton 2012, without the split into two columns and without local response
        normalisation.
    """

    def __init__(self, num_classes: int, in_channels: int, ndim: int) -> None:
        super().__init__()
        conv, pool = Conv[ndim], MaxPool[ndim]
        self.features = nn.Sequential(
            conv(in_channels, 64, 11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            pool(3, 2),
            conv(64, 192, 5, padding=2),
            nn.ReLU(inplace=True),
            pool(3, 2),
            conv(192, 384, 3, padding=1),
            nn.ReLU(inplace=True),
            conv(384, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            conv(256, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            pool(3, 2),
        )
        places = 3 if ndim == 3 else 6
        self.avgpool = AdaptiveAvgPool[ndim](places)
        self.classifier = nn.Sequential(
            nn.Dropout(0.5),
            nn.Linear(256 * places**ndim, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


@register(
    "alexnet",
    ndims=(1, 2, 3),
    min_size=63,
    default_size=224,
    learning_rate=0.0005,
    source="Krizhevsky 2014, One weird trick for parallelizing convolutional neural networks, arXiv:1404.5997, §5",
    published=IMAGENET,
)
def alexnet(num_classes: int, in_channels: int, ndim: int) -> AlexNet:
    return AlexNet(num_classes, in_channels, ndim)
