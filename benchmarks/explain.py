"""How long a heat-map takes: ResNet-50 on one image of 224², beside its forward pass.

    python benchmarks/explain.py [--rounds N]

Float32, one thread, and the processor's time instead of the clock's, so that other programs on the machine count
little; the contenders take turns, the figure is the best round. "first" is Grad-CAM of a network that was not looked at
before, in a fresh process: the receptive fields of its layers are found, and kept afterwards. Weights are random: times
do not depend on them. The aim is below one second for Grad-CAM. The other methods cost passes: integrated gradients two
for each step, occlusion one for each window, Score-CAM one for each channel. Results: results/explain.md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch

import lenrek
from lenrek.explain import grad_cam, layer_cam
from lenrek.training.machine import describe_machine, versions

SIZE = (3, 224, 224)
RESULTS = Path(__file__).parent / "results" / "explain.md"


def timed_s(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = lenrek.create_model("resnet50").eval()
    x = torch.randn(1, *SIZE)

    def forward() -> None:
        with torch.inference_mode():
            network(x)

    forward()
    first = timed_s(lambda: grad_cam(lenrek.create_model("resnet50").eval(), x)) - timed_s(
        lambda: lenrek.create_model("resnet50")
    )
    contenders: dict[str, Callable[[], object]] = {
        "forward pass": forward,
        "Grad-CAM, `layer4`": lambda: grad_cam(network, x),
        "Layer-CAM, `layer2`": lambda: layer_cam(network, x, "layer2"),
    }
    best = dict.fromkeys(contenders, float("inf"))
    for _ in range(rounds):
        for name, work in contenders.items():
            best[name] = min(best[name], timed_s(work))
    stack = ", ".join(f"{name} {version}" for name, version in versions().items())
    lines = [
        "# Heat-maps",
        "",
        f"{describe_machine(torch.device('cpu'))}; {stack}.  ",
        f"`python benchmarks/explain.py --rounds {rounds}`; ResNet-50, one image of 224², one thread, float32.",
        "",
        "| | CPU time, s | forward passes |",
        "|---|---:|---:|",
        f"| Grad-CAM, first | {first:.2f} | {first / best['forward pass']:.1f} |",
        *(f"| {name} | {seconds:.2f} | {seconds / best['forward pass']:.1f} |" for name, seconds in best.items()),
    ]
    RESULTS.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
