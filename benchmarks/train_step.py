"""How fast a whole training step is: PyTorch as it comes, PyTorch tuned by a skilled user, and `lenrek.optimize`.

    python benchmarks/train_step.py [NETWORK …] [--rounds N]

A step is forward, cross-entropy, backward and SGD with momentum on one batch. Every variant has a process of its own,
so that allocator settings and peak memory are its own; the processes take turns, one step each a round, and the best
step counts. The variants:

    default   float32, NCHW, torch.optim.SGD
    tuned     channels-last, bfloat16 autocast, fused SGD, memory kept mapped
    lenrek    lenrek.optimize(model), fused SGD, the loop otherwise as by default

Results: results/train_step.md.
"""

from __future__ import annotations

import multiprocessing
import platform
import resource
import statistics
import sys
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from lenrek.kernels.library import active
from lenrek.models.create import create_model
from lenrek.optimization.memory import keep_memory
from lenrek.optimization.module import optimize

VARIANTS = ("default", "tuned", "lenrek")


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
    return nn.Sequential(*stem, *deep, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(96, 10))


def model(name: str, ndim: int = 2, channels: int = 3):
    return lambda: create_model(name, num_classes=10, in_channels=channels, ndim=ndim)


# name: (how to make it, one sample's shape, batch)
NETWORKS = {
    "LeNet-5, 28²": (model("lenet5", channels=1), (1, 28, 28), 256),
    "VGG-11 with norm, 32²": (model("vgg11_bn"), (3, 32, 32), 128),
    "ResNet-18, 32²": (model("resnet18_cifar"), (3, 32, 32), 64),
    "VGG-16, 112²": (model("vgg16"), (3, 112, 112), 8),
    "MobileNetV2, 96²": (model("mobilenet_v2"), (3, 96, 96), 64),
    "depthwise 7×7 (ConvNeXt-like), 64²": (convnext_like, (3, 64, 64), 32),
    "TCN, 1×2048": (model("tcn", ndim=1, channels=1), (1, 2048), 32),
    "3-D ResNet-18, 32³": (model("resnet18_cifar", ndim=3, channels=1), (1, 32, 32, 32), 4),
    "ResNet-20, 32²": (model("resnet20"), (3, 32, 32), 128),
    "SqueezeNet 1.1, 96²": (model("squeezenet1_1"), (3, 96, 96), 32),
    "ResNet-9 (small), 28²": (model("resnet9_small", channels=1), (1, 28, 28), 256),
}


def work(variant: str, name: str, pipe) -> None:
    """Answer every message with the seconds of one step; at the end with the peak memory in MiB and the loss."""
    torch.manual_seed(0)
    make, shape, batch = NETWORKS[name]
    net, x, target = make().train(), torch.randn(batch, *shape), torch.randint(0, 10, (batch,))
    fused = variant != "default"
    if variant == "tuned":
        keep_memory()
        formats = {4: torch.channels_last, 5: torch.channels_last_3d}
        if x.ndim in formats:
            net, x = net.to(memory_format=formats[x.ndim]), x.contiguous(memory_format=formats[x.ndim])
    elif variant == "lenrek":
        net = optimize(net)
    optimizer = torch.optim.SGD(net.parameters(), 1e-3, momentum=0.9, fused=fused or None)
    loss = torch.zeros(())
    while pipe.recv():
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=variant == "tuned"):
            loss = nn.functional.cross_entropy(net(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        pipe.send(time.perf_counter() - start)
    pipe.send((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, float(loss.detach())))


def measure(name: str, rounds: int) -> dict[str, tuple[float, float]]:
    """variant → (best step in ms, peak MiB)."""
    context = multiprocessing.get_context("spawn")
    ends, processes = {}, []
    for variant in VARIANTS:
        here, there = context.Pipe()
        process = context.Process(target=work, args=(variant, name, there))
        process.start()
        ends[variant], processes = here, [*processes, process]
    best = dict.fromkeys(VARIANTS, float("inf"))
    for round_ in range(rounds + 2):
        for variant, end in ends.items():
            end.send(True)
            seconds = end.recv()
            if round_ >= 2:
                best[variant] = min(best[variant], seconds)
    found = {}
    for variant, end in ends.items():
        end.send(False)
        memory, _ = end.recv()
        found[variant] = (best[variant] * 1e3, memory)
    for process in processes:
        process.join()
    return found


def main() -> None:
    words = sys.argv[1:]
    rounds = int(words.pop(words.index("--rounds") + 1)) if "--rounds" in words else 8
    names = [word for word in words if word in NETWORKS] or list(NETWORKS)
    cpu = next(
        (r.split(":")[1].strip() for r in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in r), ""
    )
    lines = [
        "# A whole training step",
        "",
        f"{cpu or platform.processor()}, {active().isa or 'no kernels'}, {torch.get_num_threads()} threads; PyTorch "
        f"{torch.__version__}, Python {platform.python_version()}. Best of {rounds} steps of each, in turn, each "
        "variant in a process of its own. Ratios: PyTorch's time / lenrek's, above 1 where lenrek is faster.",
        "",
        "| network, batch | × tuned | × default | default ms | tuned ms | lenrek ms | peak MiB: the same order |",
        "|---|---|---|---|---|---|---|",
    ]
    against = {"tuned": [], "default": []}
    for name in names:
        found = measure(name, rounds)
        ours = found["lenrek"][0]
        for other, ratios in against.items():
            ratios.append(found[other][0] / ours)
        times = " | ".join(f"{found[v][0]:.1f}" for v in VARIANTS)
        memory = ", ".join(f"{found[v][1]:.0f}" for v in VARIANTS)
        gains = f"{against['tuned'][-1]:.2f} | {against['default'][-1]:.2f}"
        lines.append(f"| {name}, {NETWORKS[name][2]} | {gains} | {times} | {memory} |")
        print(lines[-1], flush=True)
    means = {other: statistics.geometric_mean(ratios) for other, ratios in against.items()}
    lines.append(f"| geometric mean | {means['tuned']:.2f} | {means['default']:.2f} | | | | |")
    print(lines[-1])
    if names == list(NETWORKS):
        (Path(__file__).parent / "results" / "train_step.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
