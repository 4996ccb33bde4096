"""The sanity check of heat-maps: with random weights the map must become another one."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lenrek.errors import ModelError
from lenrek.explain.evidence.methods import class_evidence
from lenrek.explain.evidence.network import check_count, looked_into, samples_for, scores_of
from lenrek.explain.evidence.result import Evidence
from lenrek.explain.evidence.target import Target, classes_of, read_target
from lenrek.explain.network_of import plain_network

WHO = "randomization_check"
ALIKE, UNLIKE = 0.7, 0.3  # |correlation| above: the map hardly changes; below: another map


@dataclass(frozen=True, eq=False)
class RandomizationCheck:
    """How much a heat-map stays the same while the network forgets what it learned, from its last layer down.

    Attributes:
        method, layer: of the heat-map.
        layers: per stage the path of the deepest layer whose weights are random, with all layers above it.
        correlation: (stages, batch), Spearman's, between the map of the trained network and that of the randomised one;
            NaN where one of them is the same everywhere.
    """

    method: str
    layer: str
    layers: tuple[str, ...]
    correlation: Tensor

    @property
    def final(self) -> float:
        """The mean |correlation| with all weights random; NaN where no map has any structure left."""
        return self.correlation[-1].abs().nanmean().item()

    @property
    def verdict(self) -> str:
        """In words."""
        final = self.final
        if np.isnan(final):
            return "with all weights random nothing is left of the map: it depends on what was learned"
        seen = f"with all weights random the map still correlates {final:.2f} with that of the trained network"
        if final < UNLIKE:
            return f"{seen}: it depends on what was learned"
        if final < ALIKE:
            return f"{seen}: part of what it shows is the input's and the architecture's, not what was learned"
        return f"{seen}: it shows the input and the architecture, hardly what was learned; do not trust it"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; null for a correlation that is not defined."""
        rows = [[None if np.isnan(one) else one for one in row] for row in self.correlation.tolist()]
        final = None if np.isnan(self.final) else self.final
        return {
            "method": self.method, "layer": self.layer, "layers": list(self.layers), "correlation": rows,
            "final": final, "verdict": self.verdict,
        }  # fmt: skip

    def __str__(self) -> str:
        return f"{self.method}: {self.verdict}."


def randomization_check(
    model: Any,
    x: Any,
    method: str = "grad-cam",
    layer: str | None = None,
    target: Target = None,
    *,
    stages: int = 6,
    seed: int = 0,
    **options: Any,
) -> RandomizationCheck:
    """Compares a method's heat-map with those of a copy of the network whose weights are made random, layer by layer,
    from the last one to the first.

    A random weight is drawn from a normal distribution with the mean and the standard deviation of the tensor that it
    replaces. A map that stays as it was tells nothing about the network.

    Args:
        model, x, target: as for `grad_cam`; the class stays that of the trained network. The model is not changed.
        method, layer, options: as for `class_evidence`.
        stages: at most so many maps; several layers become random together where there are more.
        seed: of the weights.
    Raises:
        ModelError: a network without parameters; as `class_evidence`.
    Source: Adebayo et al. 2018, arXiv:1810.03292, §3.1.
    Example:
        >>> _ = torch.manual_seed(0)
        >>> net = nn.Sequential(nn.Conv1d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(24, 2))
        >>> found = randomization_check(net, torch.randn(3, 1, 8), "integrated-gradients")
        >>> found.layers, tuple(found.correlation.shape)
        (('3', '0'), (2, 3))
    """
    check_count("stages", stages, WHO)
    network = plain_network(model, WHO)
    _with_weights(network)
    samples = samples_for(network, x, WHO)
    with looked_into(network), torch.no_grad():
        known = read_target(target, scores_of(network, samples, WHO), classes_of(model), WHO)
    before = class_evidence(network, samples, method, layer, known, **options)
    (found,) = compare_randomised(network, samples, [before], stages=stages, seed=seed, **options)
    return found


def compare_randomised(
    model: Any, x: Any, before: Sequence[Evidence], *, stages: int, seed: int = 0, **options: Any
) -> list[RandomizationCheck]:
    """`randomization_check` of heat-maps that are there already, all with the same random weights.

    Args:
        before: of the trained network, made of these samples.
        options: as they were made with.
    """
    network = copy.deepcopy(plain_network(model, WHO))
    last_first = _with_weights(network)[::-1]
    generator = torch.Generator().manual_seed(seed)
    ends = sorted({round(end) for end in np.linspace(0, len(last_first), min(stages, len(last_first)) + 1)[1:]})
    rows: list[list[list[float]]] = [[] for _ in before]  # per map, stage and sample
    done = 0
    for end in ends:
        for name in last_first[done:end]:
            _randomise(network.get_submodule(name), generator)
        done = end
        for known, found in zip(before, rows, strict=True):
            after = class_evidence(network, x, known.method, known.layer or None, known.target, **options)
            found.append([spearman(one, other) for one, other in zip(known.values, after.values, strict=True)])
    layers = tuple(last_first[end - 1] for end in ends)
    return [
        RandomizationCheck(known.method, known.layer, layers, torch.tensor(found, dtype=torch.float64))
        for known, found in zip(before, rows, strict=True)
    ]


def spearman(one: Tensor, other: Tensor) -> float:
    """The correlation of the ranks of two maps of one shape; NaN where all values of one are equal.

    >>> round(spearman(torch.tensor([1.0, 2.0, 9.0]), torch.tensor([0.1, 0.2, 0.3])), 9)
    1.0
    """
    ranks = torch.stack([_ranks(one.flatten()), _ranks(other.flatten())])
    ranks -= ranks.mean(1, keepdim=True)
    sizes = ranks.square().sum(1).sqrt()
    return (ranks[0] @ ranks[1] / sizes.prod()).item()


def _ranks(values: Tensor) -> Tensor:
    """Equal values share the mean of their ranks."""
    _, place, counts = values.unique(return_inverse=True, return_counts=True)
    return (counts.cumsum(0) - (counts - 1) / 2).double()[place]


def _with_weights(network: nn.Module) -> list[str]:
    """The modules that have parameters of their own."""
    held = [name for name, module in network.named_modules() if any(True for _ in module.parameters(recurse=False))]
    if not held:
        raise ModelError(f"{WHO}: {type(network).__name__} has no parameters that could be random.")
    return held


def _randomise(module: nn.Module, generator: torch.Generator) -> None:
    """Its own parameters, without those of the modules inside."""
    for parameter in module.parameters(recurse=False):
        values = parameter.detach().float()
        spread = values.std() if values.numel() > 1 else values.abs().mean()
        drawn = torch.randn(values.shape, generator=generator).to(values.device)
        with torch.no_grad():
            parameter.copy_(values.mean() + spread * drawn)
