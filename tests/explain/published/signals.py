"""One axis: dilated causal convolutions, and a recurrence over convolutional features."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class GatedLayer(nn.Module):
    def __init__(self, channels: int, skip: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.filter, self.gate = (nn.Conv1d(channels, channels, 2, dilation=dilation) for _ in range(2))
        self.residual, self.skip = nn.Conv1d(channels, channels, 1), nn.Conv1d(channels, skip, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        before = F.pad(x, (self.dilation, 0))
        y = torch.tanh(self.filter(before)) * torch.sigmoid(self.gate(before))
        return x + self.residual(y), self.skip(y)


class WaveNet(nn.Module):
    """van den Oord et al. 2016, arXiv:1609.03499: gated, with dilations 1, 2, 4 …, over and over."""

    def __init__(self, channels: int = 32, skip: int = 24, levels: int = 256, depth: int = 10, stacks: int = 3) -> None:
        super().__init__()
        self.first = nn.Conv1d(1, channels, 2)
        self.layers = nn.ModuleList(
            GatedLayer(channels, skip, 2**index) for _ in range(stacks) for index in range(depth)
        )
        self.last = nn.Sequential(nn.ReLU(), nn.Conv1d(skip, skip, 1), nn.ReLU(), nn.Conv1d(skip, levels, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(F.pad(x, (1, 0)))
        total: Tensor | int = 0
        for layer in self.layers:
            x, skipped = layer(x)
            total = total + skipped
        return self.last(total)


class CRNN(nn.Module):
    """Shi et al. 2017, arXiv:1507.05717: columns of an image read by a bidirectional LSTM."""

    def __init__(self, width: int = 16, hidden: int = 12, num_classes: int = 7) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1), nn.ReLU(), nn.MaxPool2d((2, 1)),
        )  # fmt: skip
        self.recurrent = nn.LSTM(2 * width, hidden, num_layers=2, bidirectional=True, batch_first=True)
        self.last = nn.Linear(2 * hidden, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        columns = self.features(x).amax(2).transpose(1, 2)
        return self.last(self.recurrent(columns)[0])
