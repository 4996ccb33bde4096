"""How fast a whole training step is: PyTorch as it comes, PyTorch tuned by a skilled user, and `lenrek.optimize`.

    python benchmarks/train_step.py [NETWORK …] [--rounds N]

Measured by `lenrek.optimization.measure`, whose `ways` say what the three are: each in a process of its own, in turn,
the best step counts. A network may be named by the start of its name. All of them write results/train_step.md.
"""

from __future__ import annotations

import platform
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from lenrek import __version__
from lenrek.kernels.library import active
from lenrek.models.create import create_model
from lenrek.optimization.measure import measure_training
from lenrek.optimization.ways import WAYS, Workload
from lenrek.training.machine import processor_name

ROUNDS = 8
RESULT = Path(__file__).parent / "results" / "train_step.md"


class ConvNextBlock(nn.Module):
    """Depthwise 7×7, norm, two pointwise layers with GELU between them, and a shortcut (batch norm for layer norm)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.BatchNorm2d(channels)
        self.wide, self.narrow = nn.Conv2d(channels, 4 * channels, 1), nn.Conv2d(4 * channels, channels, 1)
        self.act = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        return x + self.narrow(self.act(self.wide(self.norm(self.depthwise(x)))))


def convnext_like() -> nn.Module:
    stem = [nn.Conv2d(3, 48, 2, 2), *(ConvNextBlock(48) for _ in range(2))]
    deep = [nn.Conv2d(48, 96, 2, 2), *(ConvNextBlock(96) for _ in range(2))]
    return nn.Sequential(*stem, *deep, *head(96))


def vgg_like() -> nn.Module:
    """A convolution, norm, ReLU and a 2-fold max-pool, four times."""
    layers: list[nn.Module] = []
    for before, after in ((3, 64), (64, 128), (128, 256), (256, 512)):
        layers += [
            nn.Conv2d(before, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ]
    return nn.Sequential(*layers, *head(512))


class DenseLayer(nn.Module):
    """x, and beside it what norm, ReLU and a convolution make of it (Huang et al. 2017, arXiv:1608.06993)."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.norm, self.conv = nn.BatchNorm2d(channels), nn.Conv2d(channels, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.conv(torch.relu(self.norm(x)))], 1)


def densenet_like(growth: int = 16, depth: int = 5) -> nn.Module:
    """Three dense blocks with a pointwise convolution and average pooling between them."""
    layers: list[nn.Module] = [nn.Conv2d(3, 2 * growth, 3, padding=1, bias=False)]
    channels = 2 * growth
    for block in range(3):
        layers += [DenseLayer(channels + i * growth, growth) for i in range(depth)]
        channels += depth * growth
        layers += [nn.BatchNorm2d(channels), nn.ReLU()]
        if block < 2:
            layers += [nn.Conv2d(channels, channels // 2, 1, bias=False), nn.AvgPool2d(2)]
            channels //= 2
    return nn.Sequential(*layers, *head(channels))


def unet_encoder_like() -> nn.Module:
    """Two convolutions with norm and SiLU per scale, and strided convolutions between the scales."""
    layers: list[nn.Module] = []
    before = 3
    for after in (32, 64, 128):
        for channels in (before, after):
            layers += [nn.Conv2d(channels, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.SiLU()]
        layers.append(nn.Conv2d(after, after, 3, 2, 1))
        before = after
    return nn.Sequential(*layers, *head(before))


def head(channels: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]


def model(name: str, ndim: int = 2, channels: int = 3) -> Callable[[], nn.Module]:
    return partial(create_model, name, num_classes=10, in_channels=channels, ndim=ndim)


# name: (how to make it, one sample's shape, batch)
Entry = tuple[Callable[[], nn.Module], tuple[int, ...], int]
TABLE: dict[str, Entry] = {
    "LeNet-5, 28²": (model("lenet5", channels=1), (1, 28, 28), 256),
    "VGG-style with norm, 32²": (vgg_like, (3, 32, 32), 256),
    "ResNet-18, 32²": (model("resnet18_cifar"), (3, 32, 32), 64),
    "VGG-16, 112²": (model("vgg16"), (3, 112, 112), 8),
    "MobileNetV2, 96²": (model("mobilenet_v2"), (3, 96, 96), 64),
    "depthwise 7×7 (ConvNeXt-like), 64²": (convnext_like, (3, 64, 64), 32),
    "TCN, 1×2048": (model("tcn", ndim=1, channels=1), (1, 2048), 32),
    "3-D ResNet-18, 32³": (model("resnet18_cifar", ndim=3, channels=1), (1, 32, 32, 32), 4),
}
OTHERS: dict[str, Entry] = {
    "ResNet-20, 32²": (model("resnet20"), (3, 32, 32), 128),
    "SqueezeNet 1.1, 96²": (model("squeezenet1_1"), (3, 96, 96), 32),
    "ResNet-9 (small), 28²": (model("resnet9_small", channels=1), (1, 28, 28), 256),
    "DenseNet-like, 32²": (densenet_like, (3, 32, 32), 64),
    "U-Net encoder-like with SiLU, 64²": (unet_encoder_like, (3, 64, 64), 32),
    "VGG-11 with norm, 32²": (model("vgg11_bn"), (3, 32, 32), 128),
}
NETWORKS = TABLE | OTHERS
GROUPS = {"The table": TABLE, "Networks nothing was tuned for": OTHERS}


@dataclass(frozen=True)
class Row:
    """A network's figures; all but `name` by way."""

    name: str
    step_s: dict[str, float]
    first_s: dict[str, float]
    peak_mib: dict[str, float]

    def gain(self, other: str) -> float:
        """The other way's time over lenrek's: above 1 where lenrek is faster."""
        return self.step_s[other] / self.step_s["lenrek"]

    def __str__(self) -> str:
        times = " | ".join(f"{1e3 * self.step_s[way]:.1f}" for way in WAYS)
        peaks = " | ".join(f"{self.peak_mib[way]:.0f}" for way in WAYS)
        gains = f"**{self.gain('tuned'):.2f}** | {self.gain('default'):.2f}"
        first = " | ".join(f"{self.first_s[way]:.1f}" for way in ("tuned", "lenrek"))
        return f"| {self.name}, {NETWORKS[self.name][2]} | {gains} | {times} | {peaks} | {first} |"


def measured(name: str, rounds: int) -> Row:
    timings = measure_training(Workload(*NETWORKS[name]), rounds=rounds)
    step_s = {way: min(timing.best_s.values()) for way, timing in timings.items()}
    first_s, peak_mib = ({way: getattr(t, field) for way, t in timings.items()} for field in ("first_s", "peak_mib"))
    return Row(name, step_s, first_s, peak_mib)


def mean(rows: list[Row], name: str) -> str:
    gains = (statistics.geometric_mean(row.gain(other) for row in rows) for other in ("tuned", "default"))
    return f"| geometric mean: {name} | " + " | ".join(f"**{gain:.2f}**" for gain in gains) + " |" * 9


def page(rows: list[Row], rounds: int) -> str:
    lines = [
        "# A whole training step",
        "",
        f"{processor_name()}, kernels for {active().isa or 'none'}, {torch.get_num_threads()} threads; lenrek "
        f"{__version__}, PyTorch {torch.__version__}, Python {platform.python_version()}.  ",
        f"`python benchmarks/train_step.py --rounds {rounds}`: best of {rounds} turns of each, each in a process "
        "of its own.",
        "",
        "× tuned, × default: the time of PyTorch tuned, and as it comes, over lenrek's; above 1 lenrek is faster. "
        "The first step includes whatever is made ready for it.",
    ]
    for title, entries in GROUPS.items():
        lines += ["", f"## {title}", "", *HEAD]
        group = [row for row in rows if row.name in entries]
        lines += [*map(str, group), mean(group, title.lower())]
    lines += ["", "## All", "", *HEAD, mean(rows, "all"), "", "## What is slower", ""]
    slower = [
        f"- {row.name}: {row.gain(other):.2f}× PyTorch {said}"
        for row in rows
        for other, said in (("tuned", "tuned"), ("default", "as it comes"))
        if row.gain(other) < 1
    ]
    return "\n".join([*lines, *(slower or ["Nothing here."])]) + "\n"


HEAD = (
    "| network, batch | × tuned | × default | default ms | tuned ms | lenrek ms | default MiB | tuned MiB | lenrek MiB "
    "| tuned, first step, s | lenrek, first step, s |",
    "|---|---|---|---|---|---|---|---|---|---|---|",
)


def main() -> None:
    words = sys.argv[1:]
    rounds = ROUNDS
    if "--rounds" in words:
        place = words.index("--rounds")
        rounds = int(words[place + 1])
        del words[place : place + 2]
    names = [name for name in NETWORKS if not words or name.startswith(tuple(words))]
    if not names:
        sys.exit(f"no network is called {' or '.join(words)}; there are {'; '.join(NETWORKS)}")
    print("\n".join(HEAD))
    rows = []
    for name in names:
        rows.append(measured(name, rounds))
        print(rows[-1], flush=True)
    if names == list(NETWORKS):
        RESULT.write_text(page(rows, rounds))
        print(f"wrote {RESULT}")


if __name__ == "__main__":
    main()
