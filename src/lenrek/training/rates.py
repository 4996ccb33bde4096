"""Lower learning rates for layers that were trained before, the lower the nearer to the input."""

from __future__ import annotations

from torch import nn

from lenrek.models.head import Head

LAYER_DECAY = 0.8
FINE_TUNING_RATE = {"adamw": 1e-3, "sgd": 0.02}
ENOUGH_SAMPLES = 2000


def fine_tuning_rate(optimizer: str, num_samples: int) -> float:
    """The peak rate for a network that was trained before: lower for fewer samples, which it would learn by heart.

    Chosen on flowers with SqueezeNet, on other splits than those of the published figures.

    >>> fine_tuning_rate("adamw", 100), fine_tuning_rate("adamw", 50_000)
    (5e-05, 0.001)
    """
    return float(f"{FINE_TUNING_RATE[optimizer] * min(1.0, num_samples / ENOUGH_SAMPLES):.2g}")


def depths(network: nn.Module, head: Head) -> dict[str, int]:
    """How many blocks lie between each parameter and the new head, whose own are at 0.

    A block is what the first two parts of a name say: `features.3`, `layer1.0`, or `conv1` where there is only one.

    >>> net = nn.Sequential(nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4)), nn.Linear(4, 5))
    >>> depths(net, Head("1", 4))
    {'0.0.weight': 2, '0.0.bias': 2, '0.1.weight': 1, '0.1.bias': 1, '1.weight': 0, '1.bias': 0}
    """
    names = [name for name, _ in network.named_parameters()]
    blocks: list[str] = []
    for name in names:
        block = _block(name)
        if not name.startswith(f"{head.name}.") and block not in blocks:
            blocks.append(block)
    return {name: 0 if name.startswith(f"{head.name}.") else len(blocks) - blocks.index(_block(name)) for name in names}


def _block(name: str) -> str:
    return ".".join(name.split(".")[:-1][:2])


def is_unfrozen(depth: int, deepest: int, epoch: int, gradual_epochs: int) -> bool:
    """Whether a block is trained in this epoch (from 0), the head first and all after `gradual_epochs`.

    >>> [[is_unfrozen(depth, 4, epoch, 2) for depth in (0, 2, 4)] for epoch in (0, 1, 2)]
    [[True, False, False], [True, True, False], [True, True, True]]
    """
    return epoch >= gradual_epochs or depth * gradual_epochs <= epoch * deepest
