"""M5: five layers from the raw waveform to its class."""

from __future__ import annotations

from torch import Tensor, nn

from lenrek.models.conv_norm import conv_norm_activation
from lenrek.models.initialization import initialize_he
from lenrek.models.layers import AdaptiveAvgPool, MaxPool
from lenrek.models.registry import register


class M5(nn.Module):
    """A long first convolution, a bank of band-pass filters (80 taps are 10 ms at 8 kHz), three short ones, max-pooling
    by four behind each, the mean over time, one linear layer.

    1,024 samples become one position; the paper's 32,000 become 31, the second of speech this is meant for 7.
    """

    def __init__(self, num_classes: int, in_channels: int, ndim: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            conv_norm_activation(in_channels, 128, ndim, kernel_size=80, stride=4),
            MaxPool[ndim](4),
            conv_norm_activation(128, 128, ndim, kernel_size=3),
            MaxPool[ndim](4),
            conv_norm_activation(128, 256, ndim, kernel_size=3),
            MaxPool[ndim](4),
            conv_norm_activation(256, 512, ndim, kernel_size=3),
            MaxPool[ndim](4),
        )
        self.avgpool = AdaptiveAvgPool[ndim](1)
        self.fc = nn.Linear(512, num_classes)
        initialize_he(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.avgpool(self.features(x)).flatten(1))


@register(
    "m5",
    ndims=(1,),
    min_size=1022,
    default_size=8000,
    source="Dai et al. 2016, Very Deep Convolutional Neural Networks for Raw Waveforms, arXiv:1610.00087, Table 1",
)
def m5(num_classes: int, in_channels: int, ndim: int) -> M5:
    return M5(num_classes, in_channels, ndim)
