"""LeNet-5 as it is used today: ReLU, max-pooling, a fully connected classifier."""

from __future__ import annotations

from torch import Tensor, nn

from lenrek.models.layers import AdaptiveAvgPool, Conv, MaxPool
from lenrek.models.registry import register


class LeNet5(nn.Module):
    """Two stages of convolution, ReLU and max-pooling, then three fully connected layers.

    The first convolution pads by 2, so that 28 px images give the maps of the 1998 network's 32 px ones. The second
    stage's maps are averaged to 5 samples per axis, which they have for inputs of 28 to 31.
    Layers start from He's normal distribution, and the last one from N(0, 0.01²), so that training begins with even
    posteriors; at high learning rates PyTorch's default, a sixth of that variance, sometimes loses several percent.

    Args:
        num_classes, in_channels: outputs and input channels.
        ndim: 1, 2 or 3.
    """

    def __init__(self, num_classes: int, in_channels: int, ndim: int) -> None:
        super().__init__()
        last = nn.Linear(84, num_classes)
        self.features = nn.Sequential(
            Conv[ndim](in_channels, 6, 5, padding=2),
            nn.ReLU(),
            MaxPool[ndim](2),
            Conv[ndim](6, 16, 5),
            nn.ReLU(),
            MaxPool[ndim](2),
            AdaptiveAvgPool[ndim](5),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(16 * 5**ndim, 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
            last,
        )
        for parameter in self.parameters():
            if parameter.ndim == 1:
                nn.init.zeros_(parameter)
            else:
                nn.init.kaiming_normal_(parameter, nonlinearity="relu")
        nn.init.normal_(last.weight, std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x))


@register(
    "lenet5",
    ndims=(1, 2, 3),
    min_size=12,
    default_size=28,
    learning_rate=0.008,
    source="LeCun et al. 1998, Gradient-Based Learning Applied to Document Recognition, §II.B; ReLU, max-pooling",
)
def lenet5(num_classes: int, in_channels: int, ndim: int) -> LeNet5:
    return LeNet5(num_classes, in_channels, ndim)
