"""LeNet-5 exactly as published in 1998: partial connections, trainable subsampling, distances to fixed bitmaps."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lenrek.models.registry import register

SOURCE = "LeCun, Bottou, Bengio & Haffner 1998, Gradient-Based Learning Applied to Document Recognition, §II.B"

# Table I of the paper: the maps of S2 that each map of C3 sees. 6·3 + 9·4 + 6 = 60 kernels.
C3_SEES = tuple(
    tuple(sorted((first + step) % 6 for step in steps))
    for steps, maps in (((0, 1, 2), 6), ((0, 1, 2, 3), 6), ((0, 1, 3, 4), 3), ((0, 1, 2, 3, 4, 5), 1))
    for first in range(maps)
)

# Stylised digits of 7 × 12 pixels, drawn after the paper's Fig. 3: what F6 is to look like, one target per class.
DIGITS = """
....... ....... ....... ....... ....... ....... ....... ....... ....... .......
..###.. ...#... .#####. .#####. ....##. ####### ..####. ####### .#####. .#####.
.#...#. ..##... #.....# #.....# ...#.#. #...... .#..... ......# #.....# #.....#
#.....# .#.#... ......# ......# ..#..#. #...... #...... .....#. #.....# #.....#
#.....# ...#... ......# ......# .#...#. #...... #...... .....#. #.....# #.....#
#.....# ...#... .....#. ..####. #....#. ######. #.####. ....#.. .#####. #....##
#.....# ...#... ....#.. ......# #....#. ......# ##....# ....#.. #.....# .####.#
#.....# ...#... ..##... ......# ####### ......# #.....# ...#... #.....# ......#
#.....# ...#... .#..... ......# .....#. ......# #.....# ...#... #.....# ......#
.#...#. ...#... #...... #.....# .....#. #.....# #.....# ..#.... #.....# .....#.
..###.. .#####. ####### .#####. .....#. .#####. .#####. ..#.... .#####. .####..
....... ....... ....... ....... ....... ....... ....... ....... ....... .......
"""


class Squash(nn.Module):
    """1.7159 · tanh(2x / 3), which takes ±1 to ±1 (Appendix A of the paper)."""

    def forward(self, x: Tensor) -> Tensor:
        return 1.7159 * torch.tanh(2 / 3 * x)


class Subsampling(nn.Module):
    """The sum over each window of 2 × 2, times a coefficient, plus a bias; one trainable pair per map.

    Example:
        >>> layer = Subsampling(channels=1)
        >>> _ = layer.load_state_dict({"weight": torch.tensor([2.0]), "bias": torch.tensor([-1.0])})
        >>> layer(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])).item()  # 2 · (1 + 2 + 3 + 4) − 1
        19.0
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.empty(channels))
        uniform_by_fan_in(self.weight, self.bias, fan_in=4)

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 2, divisor_override=1) * self.weight[:, None, None] + self.bias[:, None, None]


class PartialConv2d(nn.Module):
    """A convolution whose output maps each see some of the input maps: one kernel per connection, and no others.

    Args:
        sees: per output channel, the input channels that it is connected to.
    """

    def __init__(self, sees: tuple[tuple[int, ...], ...], kernel_size: int) -> None:
        super().__init__()
        self.pairs = [(out, channel) for out, channels in enumerate(sees) for channel in channels]
        self.in_channels = 1 + max(channel for _, channel in self.pairs)
        self.weight = nn.Parameter(torch.empty(len(self.pairs), kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.empty(len(sees)))
        kernels = iter(self.weight)
        for out, channels in enumerate(sees):
            fan_in = len(channels) * kernel_size**2
            uniform_by_fan_in(*(next(kernels) for _ in channels), self.bias[out], fan_in=fan_in)

    def dense_weight(self) -> Tensor:
        """The kernels as those of an ordinary convolution, zero where there is no connection."""
        dense = self.weight.new_zeros(len(self.bias), self.in_channels, *self.weight.shape[1:])
        out, channel = zip(*self.pairs, strict=True)
        return dense.index_put((torch.tensor(out), torch.tensor(channel)), self.weight)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.dense_weight(), self.bias)


class RadialBasis(nn.Module):
    """Minus the squared distance to one fixed code of ±1 per class, divided by 2 · variance.

    These are the logits of classes that are Gaussians around their codes, as the paper reads its penalties, the squared
    distances: softmax gives the posteriors, and cross-entropy is its criterion (eq. 9) without the class for
    rubbish. Which class wins does not depend on the variance. The paper's formula has ½; but over 84 units distances
    reach hundreds, and then only small learning rates train (SGD beyond 0.01 fails). With 5 the common ones do.

    Args:
        codes: (num_classes, features), each ±1.
    Example:
        >>> RadialBasis(torch.tensor([[1.0, 1.0], [1.0, -1.0]]), variance=0.5)(torch.tensor([[1.0, 0.0]]))
        tensor([[-1., -1.]])
    """

    codes: Tensor

    def __init__(self, codes: Tensor, variance: float = 5.0) -> None:
        super().__init__()
        self.register_buffer("codes", codes)
        self.variance = variance

    def forward(self, x: Tensor) -> Tensor:
        return -(x[:, None] - self.codes).square().sum(-1) / (2 * self.variance)


class LeNet51998(nn.Module):
    """C1, S2, C3, S4, C5, F6 and the output of the paper's Fig. 2, all but the output followed by a squashing function.

    It expects 32 × 32 px, on which C5's map is a single sample. From larger inputs C5 makes a map (as in the replicated
    networks of the paper's §VII), and here its mean over places goes on to F6. The paper scales pixels to a mean of
    about 0 and a variance of about 1.

    Args:
        num_classes: with 10, the classes' codes are the bitmaps of the digits; with any other number, 84 bits of each
            class number's SHA-256, of which two classes share about half.
        in_channels: 1 in the paper: then 60,000 parameters are trained.
    """

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(in_channels, 6, 5)
        self.s2 = Subsampling(6)
        self.c3 = PartialConv2d(C3_SEES, 5)
        self.s4 = Subsampling(16)
        self.c5 = nn.Conv2d(16, 120, 5)
        self.f6 = nn.Linear(120, 84)
        self.output = RadialBasis(digit_codes() if num_classes == 10 else hashed_codes(num_classes))
        self.squash = Squash()
        for layer in (self.c1, self.c5, self.f6):
            uniform_by_fan_in(*layer.parameters(), fan_in=layer.weight[0].numel())

    def forward(self, x: Tensor) -> Tensor:
        for layer in (self.c1, self.s2, self.c3, self.s4, self.c5):
            x = self.squash(layer(x))
        x = self.squash(self.f6(x.mean((2, 3))))
        return self.output(x)


@torch.no_grad()
def uniform_by_fan_in(*parameters: Tensor, fan_in: int) -> None:
    """The paper's start: uniform between ±2.4 / fan_in, fan_in being the inputs of the unit (Appendix A)."""
    for parameter in parameters:
        parameter.uniform_(-2.4 / fan_in, 2.4 / fan_in)


def digit_codes() -> Tensor:
    """(10, 84): the bitmaps of the digits, row by row, ink +1 and paper −1."""
    rows = [line.split() for line in DIGITS.split("\n") if line]
    return torch.tensor(
        [[1.0 if pixel == "#" else -1.0 for row in rows for pixel in row[digit]] for digit in range(10)]
    )


def hashed_codes(num_classes: int) -> Tensor:
    """(num_classes, 84) of ±1: the first 84 bits of the SHA-256 of each class's number in decimal digits."""
    bits = [f"{int.from_bytes(hashlib.sha256(str(i).encode()).digest()):0256b}"[:84] for i in range(num_classes)]
    return torch.tensor([[1.0 if bit == "1" else -1.0 for bit in code] for code in bits])


@register("lenet5_1998", ndims=(2,), min_size=32, default_size=32, source=SOURCE)
def lenet5_1998(num_classes: int, in_channels: int, ndim: int) -> LeNet51998:
    return LeNet51998(num_classes, in_channels)
