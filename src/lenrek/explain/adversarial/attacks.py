"""Changes of a given size that raise a network's loss: one step along the gradient, or many."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lenrek.errors import OptionError
from lenrek.explain.adversarial.units import Units, units_of
from lenrek.explain.evidence.network import check_count, looked_into, samples_for, scores_of
from lenrek.explain.evidence.target import Target, classes_of, read_target
from lenrek.explain.network_of import plain_network
from lenrek.models.contract import InputContract

Norm = Literal["linf", "l2"]
NORMS = ("linf", "l2")
REACH = 2.5  # all steps of PGD together, in epsilons


def fgsm(
    model: Any,
    x: Any,
    labels: Target = None,
    *,
    epsilon: float,
    norm: Norm = "linf",
    contract: InputContract | None = None,
) -> Tensor:
    """The fast gradient sign method: one step of size epsilon that raises the loss most, if that were linear.

    x + ε·sign(∂loss/∂x), or with norm="l2" x + ε·g/‖g‖, cut to what an image can be.

    Args:
        model: a network that returns (batch, classes), or a `lenrek.Classifier`; left as it was.
        x: (batch, channels, *size) as the network takes it (normalised).
        labels: the right classes, by index or name; by default what the network says.
        epsilon: in the samples' own units before normalisation: images go from 0 to 1, so that 8/255 is eight grey
            levels; signals from −1 to 1. The contract knows.
        norm: "linf": no number changes by more than epsilon; "l2": their changes' Euclidean length is at most epsilon.
        contract: of the input, where the model has none.
    Returns:
        As x, normalised.
    Raises:
        OptionError: a size that is none, or no contract.
        ShapeError: samples that the network does not take.
    Source: Goodfellow, Shlens & Szegedy 2015, arXiv:1412.6572, §4.
    Example:
        >>> net = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
        >>> _ = net[1].weight.data.copy_(torch.tensor([[1.0, -1.0], [0.0, 0.0]]))
        >>> plain = InputContract(1, (2,), (0.0,), (1.0,), ("a", "b"))
        >>> fgsm(net, torch.tensor([[[0.5, 0.95]]]), [0], epsilon=0.1, contract=plain)
        tensor([[[0.4000, 1.0000]]])
    """
    check_size(epsilon, norm, "fgsm")
    return _attacked("fgsm", model, x, labels, contract, Climb.fgsm(epsilon, norm))


def pgd(
    model: Any,
    x: Any,
    labels: Target = None,
    *,
    epsilon: float,
    norm: Norm = "linf",
    steps: int = 10,
    step_size: float | None = None,
    seed: int | None = 0,
    contract: InputContract | None = None,
) -> Tensor:
    """Projected gradient descent on the loss, upwards: many steps, each brought back to within epsilon.

    Args:
        model, x, labels, epsilon, norm, contract: as for `fgsm`.
        steps: how many.
        step_size: of each; by default 2.5·epsilon / steps.
        seed: of the random point within epsilon where it begins; None begins at x.
    Returns:
        As x, normalised: of all points on the way the one of the largest loss.
    Source: Madry et al. 2018, arXiv:1706.06083, §2.1.
    """
    check_size(epsilon, norm, "pgd")
    check_count("steps", steps, "pgd")
    if step_size is not None and not 0 < step_size < math.inf:
        raise OptionError(f"pgd: step_size is {step_size!r}, expected a number above 0.")
    return _attacked("pgd", model, x, labels, contract, Climb.pgd(epsilon, norm, steps, step_size, seed))


@dataclass(frozen=True)
class Climb:
    """How the loss is climbed: `steps` of `step_size` within `epsilon`, from a random point that `seed` gives; without
    one from the sample itself."""

    epsilon: float
    norm: Norm
    steps: int
    step_size: float
    seed: int | None

    @classmethod
    def fgsm(cls, epsilon: float, norm: Norm) -> Climb:
        return cls(epsilon, norm, 1, epsilon, None)

    @classmethod
    def pgd(cls, epsilon: float, norm: Norm, steps: int, step_size: float | None = None, seed: int | None = 0) -> Climb:
        return cls(epsilon, norm, steps, REACH * epsilon / steps if step_size is None else step_size, seed)


def _attacked(who: str, model: Any, x: Any, labels: Target, contract: InputContract | None, way: Climb) -> Tensor:
    network = plain_network(model, who)
    with looked_into(network):
        samples = samples_for(network, x, who)
        units = units_of(model, contract, samples, who)
        with torch.no_grad():
            right = read_target(labels, scores_of(network, samples, who), classes_of(model), who)
        return climb(network, samples, right, units, way, who)


def check_size(epsilon: float, norm: str, who: str) -> None:
    """Raise `OptionError` for a size or norm that is none."""
    if norm not in NORMS:
        raise OptionError(f"{who}: norm is {norm!r}, expected 'linf' or 'l2'.")
    if isinstance(epsilon, bool) or not isinstance(epsilon, int | float) or not 0 <= epsilon < math.inf:
        raise OptionError(f"{who}: epsilon is {epsilon!r}, expected a number of at least 0, such as 8/255.")


def climb(network: nn.Module, x: Tensor, right: Tensor, units: Units, way: Climb, who: str) -> Tensor:
    """As `pgd`, of checked arguments, within `looked_into`; of a single step without a seed as `fgsm`."""
    epsilon, norm = way.epsilon, way.norm
    clean = units.own(x)
    low, high = clean.clamp(max=units.low), clean.clamp(min=units.high)  # never cut what is given

    def within(changed: Tensor) -> Tensor:
        change = changed - clean
        change = change.clamp(-epsilon, epsilon) if norm == "linf" else _shortened(change, epsilon)
        return (clean + change).clamp(low, high)

    at = clean if way.seed is None else within(clean + _random_change(clean, epsilon, norm, way.seed))
    best, worst_loss = at, torch.full((len(x),), -torch.inf, device=x.device, dtype=clean.dtype)
    for step in range(way.steps + 1):
        at = at.detach().requires_grad_()
        losses = F.cross_entropy(scores_of(network, units.normalised(at).to(x.dtype), who), right, reduction="none")
        higher = (losses.detach() >= worst_loss).to(clean.dtype)
        worst_loss = torch.maximum(losses.detach().to(clean.dtype), worst_loss)
        best = torch.where(_as_wide(higher, at) > 0, at.detach(), best)
        if step < way.steps:
            (gradient,) = torch.autograd.grad(losses.sum(), at)
            direction = gradient.sign() if norm == "linf" else gradient / _as_wide(_length(gradient), gradient)
            at = within(at.detach() + way.step_size * direction)
    one_step = way.steps == 1 and way.seed is None
    return units.normalised(at.detach() if one_step else best).to(x.dtype)


def _length(change: Tensor) -> Tensor:
    """(batch,), the Euclidean length of each; where it is zero, 1."""
    found = change.flatten(1).norm(dim=1)
    return torch.where(found > 0, found, 1.0)


def _shortened(change: Tensor, epsilon: float) -> Tensor:
    return change * _as_wide((epsilon / _length(change)).clamp(max=1.0), change)


def _as_wide(one: Tensor, like: Tensor) -> Tensor:
    return one.reshape(-1, *[1] * (like.ndim - 1))


def _random_change(clean: Tensor, epsilon: float, norm: Norm, seed: int) -> Tensor:
    """Evenly from all changes within epsilon."""
    generator = torch.Generator().manual_seed(seed)
    if norm == "linf":
        return epsilon * (2 * torch.rand(clean.shape, generator=generator) - 1).to(clean)
    drawn = torch.randn(clean.shape, generator=generator).to(clean)
    share = torch.rand(len(clean), generator=generator).to(clean) ** (1 / clean[0].numel())
    return epsilon * drawn * _as_wide(share / _length(drawn), drawn)
