"""Plain PyTorch networks of the shapes people write, each with inputs for it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm
from torch.utils.checkpoint import checkpoint


class Branches(nn.Module):
    """Branches that end in one another's additions, and a concatenation."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.conv2, self.bn2 = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.down = nn.Sequential(nn.Conv2d(3, 8, 1, bias=False), nn.BatchNorm2d(8))
        self.pool, self.fc = nn.AvgPool2d(3, 2, 1), nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += self.down(x)
        y = F.leaky_relu(y, 0.2)
        y = torch.cat([self.pool(y), F.max_pool2d(y, 3, 2, 1)], 1)
        return self.fc(y.mean((2, 3)))


class Shared(nn.Module):
    """One norm and one activation used at two places."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 3)
        self.bn, self.act, self.pool = nn.BatchNorm2d(6), nn.ReLU(inplace=True), nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.act(self.bn(self.conv1(x))))
        return self.act(self.bn(self.conv2(x))).flatten(1)


class NoGradient(nn.Module):
    """A part without gradients, another without autocast."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.conv2, self.bn2 = nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            x = F.relu(self.bn1(self.conv1(x)))
        with torch.autocast("cpu", enabled=False):
            return F.relu(self.bn2(self.conv2(x)))


class _Doubled(torch.autograd.Function):
    """x, with twice the gradient."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        return 2 * grad


class OwnGradient(nn.Module):
    """A function with a gradient of its own between the layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(_Doubled.apply(self.conv(x))))


class InPlace(nn.Module):
    """What a chain reads is written to between its nodes; for evaluation, as PyTorch's norm has no gradient then."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        y = self.bn(x)
        x.mul_(2)
        z = y + x
        x.add_(1)
        return F.relu_(z).sum((2, 3)) + x.mean((2, 3))


class TwoInputs(nn.Module):
    """Two images, one optional, and a dictionary out."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.SiLU())
        self.right = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU6(), nn.MaxPool2d(3, 1, 1))

    def forward(self, a: Tensor, b: Tensor, scale: float = 1.0) -> dict[str, Tensor]:
        left, right = self.left(a), self.right(b)
        return {"sum": (left + scale * right).flatten(1), "left": left}


class ValueDependent(nn.Module):
    """A branch that depends on values, around parts that do not."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2))
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(x)
        if x.sum() > 0:
            x = x + 1
        return self.head(x.mean((2, 3)))


class Checkpointed(ValueDependent):
    """Gradient checkpointing of the body."""

    def forward(self, x: Tensor) -> Tensor:
        return self.head(checkpoint(self.body, x, use_reentrant=False).mean((2, 3)))


class Counting(nn.Module):
    """A forward pass with a memory, which a graph would freeze."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn, self.calls = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return F.relu(self.bn(self.conv(x))) * self.calls


class Dropping(nn.Module):
    """Random numbers drawn outside PyTorch's layers (stochastic depth)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        if self.training and torch.rand(1).item() < 0.5:
            return x
        return x + F.relu(self.bn(self.conv(x)))


class FunctionalDropout(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(F.gelu(self.bn(self.conv(x))), 0.5, self.training)


def unbatched() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2))


def other_pools() -> nn.Module:
    """Pools that the kernels do not have."""
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.MaxPool2d(3, 2, ceil_mode=True), nn.ReLU(),
        nn.AvgPool2d(2, 1, 1, count_include_pad=False), nn.GELU("tanh"), nn.MaxPool2d(2, 1, dilation=2),
        nn.BatchNorm2d(4, momentum=None), nn.AdaptiveAvgPool2d(2), nn.BatchNorm2d(4, affine=False),
        nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(4, track_running_stats=False),
    )  # fmt: skip


def signals() -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(2, 6, 5, padding=2), nn.BatchNorm1d(6), nn.LeakyReLU(0.3), nn.MaxPool1d(3, 2, 1),
        nn.Conv1d(6, 4, 3), nn.ReLU(), nn.AvgPool1d(2), nn.Flatten(), nn.Linear(4 * 7, 8), nn.BatchNorm1d(8), nn.ReLU(),
    )  # fmt: skip


def volumes() -> nn.Module:
    return nn.Sequential(
        nn.Conv3d(1, 4, (3, 2, 3)), nn.BatchNorm3d(4), nn.Hardswish(), nn.MaxPool3d((2, 1, 2), padding=(0, 0, 1)),
        nn.Conv3d(4, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool3d(1),
    )  # fmt: skip


def depthwise() -> nn.Module:
    """Depthwise layers of every kind, and those that only look like them."""
    return nn.Sequential(
        nn.Conv2d(9, 9, (5, 3), (2, 1), (2, 0), (1, 2), groups=9), nn.BatchNorm2d(9), nn.ReLU6(),
        nn.Conv2d(9, 9, 3, padding="same", groups=9, bias=False), nn.Conv2d(9, 18, 3, groups=9),
        nn.Conv2d(18, 18, (3, 2), padding=(1, 0), padding_mode="reflect", groups=18), nn.SiLU(),
        nn.Conv2d(18, 18, 2, 2, groups=18), nn.Flatten(),
    )  # fmt: skip


def depthwise_volumes() -> nn.Module:
    return nn.Sequential(nn.Conv3d(8, 8, (3, 1, 2), (1, 2, 1), (1, 0, 1), groups=8), nn.BatchNorm3d(8), nn.GELU())


def causal_signals() -> nn.Module:
    """Zeros on one side, weight norm, depthwise and dilated kernels."""
    return nn.Sequential(
        nn.ConstantPad1d((4, 0), 0.0), weight_norm(nn.Conv1d(1, 8, 5, 2)), nn.ReLU(), nn.ZeroPad1d((6, 1)),
        nn.Conv1d(8, 8, 3, dilation=3, groups=8), nn.GELU(), nn.ConstantPad1d((2, 1), -1.5), nn.Conv1d(8, 1, 4),
        nn.ConstantPad1d((1, 0), 0.5), nn.Conv1d(1, 3, 2), nn.AdaptiveAvgPool1d(5),
    )  # fmt: skip


def averages() -> nn.Module:
    """Adaptive averages of the size there is, of one sample, and of neither."""
    return nn.Sequential(
        nn.AdaptiveAvgPool2d((None, 6)), nn.Conv2d(3, 4, 1), nn.AdaptiveAvgPool2d((9, 6)), nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d((4, 3)), nn.AdaptiveAvgPool2d(1), nn.AdaptiveAvgPool2d((2, 3)), nn.Conv2d(4, 2, 2),
    )  # fmt: skip


NETWORKS = {
    "branches": (Branches, lambda: (torch.randn(4, 3, 9, 11),)),
    "shared": (Shared, lambda: (torch.randn(4, 3, 12, 11),)),
    "without gradients": (NoGradient, lambda: (torch.randn(4, 3, 8, 7),)),
    "own gradient": (OwnGradient, lambda: (torch.randn(4, 3, 8, 7),)),
    "two inputs": (TwoInputs, lambda: (torch.randn(3, 1, 8, 7), torch.randn(3, 2, 8, 7), 0.5)),
    "value-dependent": (ValueDependent, lambda: (torch.randn(4, 3, 8, 9),)),
    "checkpointed": (Checkpointed, lambda: (torch.randn(4, 3, 8, 9),)),
    "counting": (Counting, lambda: (torch.randn(4, 3, 8, 9),)),
    "unbatched": (unbatched, lambda: (torch.randn(3, 8, 9),)),
    "other pools": (other_pools, lambda: (torch.randn(4, 3, 14, 13),)),
    "signals": (signals, lambda: (torch.randn(4, 2, 32),)),
    "depthwise": (depthwise, lambda: (torch.randn(4, 9, 16, 15),)),
    "depthwise volumes": (depthwise_volumes, lambda: (torch.randn(2, 8, 5, 6, 7),)),
    "causal signals": (causal_signals, lambda: (torch.randn(3, 1, 41),)),
    "averages": (averages, lambda: (torch.randn(3, 3, 9, 6),)),
    "volumes": (volumes, lambda: (torch.randn(2, 1, 8, 6, 7),)),
}
