"""Deletion and insertion: does the class's probability follow what a heat-map holds for important?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from lenrek.errors import OptionError
from lenrek.explain.evidence.blur import blurred
from lenrek.explain.evidence.integrated_gradients import read_baseline
from lenrek.explain.evidence.network import check_count, looked_into, samples_for, scores_of
from lenrek.explain.evidence.result import Evidence
from lenrek.explain.network_of import plain_network

WHO = "deletion_insertion"


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """How the probability of the class changes while the input goes and comes, most important samples first.

    Attributes:
        method: of the heat-map.
        shares: (steps + 1,), of the input's positions that are deleted or inserted, from 0 to 1.
        deletion, insertion: (batch, steps + 1), the probability of the class.
        random_deletion, random_insertion: the same in random orders, their mean.
        deletion_auc, insertion_auc, random_deletion_auc, random_insertion_auc: (batch,), the areas under them. A map
            that finds what the network uses has a small one for deletion and a large one for insertion.
    """

    method: str
    shares: Tensor
    deletion: Tensor
    insertion: Tensor
    random_deletion: Tensor
    random_insertion: Tensor

    @property
    def deletion_auc(self) -> Tensor:
        return area(self.deletion)

    @property
    def insertion_auc(self) -> Tensor:
        return area(self.insertion)

    @property
    def random_deletion_auc(self) -> Tensor:
        return area(self.random_deletion)

    @property
    def random_insertion_auc(self) -> Tensor:
        return area(self.random_insertion)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        curves = ("shares", "deletion", "insertion", "random_deletion", "random_insertion")
        areas = ("deletion_auc", "insertion_auc", "random_deletion_auc", "random_insertion_auc")
        return {"method": self.method, **{name: getattr(self, name).tolist() for name in (*areas, *curves)}}

    def __str__(self) -> str:
        rows = [("deletion", self.deletion_auc, self.random_deletion_auc, "lower")]
        rows += [("insertion", self.insertion_auc, self.random_insertion_auc, "higher")]
        return "\n".join(
            f"{self.method}, {name}: {own.mean():.3f}, random order {random.mean():.3f} ({better} is better)"
            for name, own, random, better in rows
        )


def deletion_insertion(
    model: Any,
    x: Any,
    evidence: Evidence,
    *,
    steps: int = 32,
    baseline: float | Tensor = 0.0,
    start: Tensor | None = None,
    random_orders: int = 1,
    seed: int = 0,
    batch_size: int = 32,
) -> Faithfulness:
    """The areas under the deletion and the insertion curve of a heat-map, beside those of random orders.

    Deletion covers the positions with the highest values first and watches the class's probability fall; insertion
    begins with a blurred input and gives them back. Both leave the network's own world of inputs: a probability may
    fall because an input looks strange. That holds for a random order, too, which is why it stands beside.

    Args:
        model, x: as for the method that made `evidence`.
        evidence: of these very samples.
        steps: parts into which the positions are divided.
        baseline: what stands where samples were deleted, normalised as x; as for `integrated_gradients`.
        start: as x, what insertion begins with; by default x blurred by a Gaussian of a standard deviation of 5/224 of
            each axis, at least three samples.
        random_orders: how many to average.
        seed: of the random orders, and of the order among equal values.
        batch_size: inputs at once.
    Raises:
        OptionError: evidence of other samples; more steps than positions.
        ShapeError: a baseline or start of another size.
    Source: Petsiuk, Das & Saenko 2018, arXiv:1806.07421, §3.2.
    Example: a class that looks at the first position alone.
        >>> from lenrek.explain.evidence.occlusion import occlusion
        >>> net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False))
        >>> _ = net[1].weight.data.copy_(torch.tensor([[9.0, 0, 0, 0], [0, 0, 0, 0]]))
        >>> x = torch.ones(1, 1, 4)
        >>> found = deletion_insertion(net, x, occlusion(net, x, 0, window=1), steps=4, start=0 * x)
        >>> [round(p, 2) for p in found.deletion[0].tolist()], [round(p, 2) for p in found.insertion[0].tolist()]
        ([1.0, 0.5, 0.5, 0.5, 0.5], [0.5, 1.0, 1.0, 1.0, 1.0])
    """
    (found,) = compare_orders(
        model, x, [evidence], steps=steps, baseline=baseline, start=start, random_orders=random_orders, seed=seed,
        batch_size=batch_size,
    )  # fmt: skip
    return found


def compare_orders(
    model: Any,
    x: Any,
    evidence: Sequence[Evidence],
    *,
    steps: int,
    baseline: float | Tensor = 0.0,
    start: Tensor | None = None,
    random_orders: int = 1,
    seed: int = 0,
    batch_size: int = 32,
) -> list[Faithfulness]:
    """`deletion_insertion` of several heat-maps for the same classes of the same samples: random orders know nothing of
    the map, so that they are followed once.

    Raises:
        OptionError: evidence for different classes; as `deletion_insertion`.
    """
    for name, given in (("steps", steps), ("random_orders", random_orders), ("batch_size", batch_size)):
        check_count(name, given, WHO)
    network = plain_network(model, WHO)
    with looked_into(network), torch.no_grad():
        samples = samples_for(network, x, WHO)
        positions = samples[0, 0].numel()
        target = evidence[0].target
        for one in evidence:
            if tuple(one.values.shape) != (len(samples), *samples.shape[2:]):
                raise OptionError(
                    f"{WHO}: evidence is of {tuple(one.values.shape)} = (batch, *size), but x is "
                    f"{tuple(samples.shape)}.\n  Hint: it must be made from this x."
                )
            if not torch.equal(one.target, target):
                raise OptionError(
                    f"{WHO}: evidence is for the classes {one.target.tolist()} and {target.tolist()}, expected the "
                    "same."
                )
        if steps > positions:
            raise OptionError(f"{WHO}: steps is {steps}, but the input has {positions} positions.")
        under = read_baseline(baseline, samples, WHO)
        begin = blurred(samples) if start is None else read_baseline(start, samples, WHO, "start")
        generator = torch.Generator().manual_seed(seed)
        own: list[list[Tensor]] = [[] for _ in evidence]  # per map and sample: deletion and insertion
        random: list[Tensor] = []
        for place, (sample, cover, first, at) in enumerate(zip(samples, under, begin, target.tolist(), strict=True)):
            shuffled = torch.randperm(positions, generator=generator)
            orders = [torch.randperm(positions, generator=generator) for _ in range(random_orders)]
            ways = ((sample, cover), (first, sample))  # deletion, insertion
            followed = partial(_followed, network, ways, at=at, steps=steps, batch_size=batch_size)
            for one, found in zip(evidence, own, strict=True):
                found.append(followed(_ranks(one.values[place].flatten(), shuffled)))
            random.append(torch.stack([followed(order) for order in orders]).mean(0))
    shares = torch.arange(steps + 1) / steps
    return [
        Faithfulness(one.method, shares, *torch.stack(found, 1), *torch.stack(random, 1))
        for one, found in zip(evidence, own, strict=True)
    ]


def area(curve: Tensor) -> Tensor:
    """Under a curve of equal steps from 0 to 1, by trapezia.

    >>> area(torch.tensor([1.0, 0.0, 0.0]))
    tensor(0.2500)
    """
    return (curve.sum(-1) - (curve[..., 0] + curve[..., -1]) / 2) / (curve.shape[-1] - 1)


def _ranks(values: Tensor, shuffled: Tensor) -> Tensor:
    """The place of each position, 0 for the largest value; equal ones as `shuffled`, not from corner to corner."""
    order = shuffled[values[shuffled].argsort(descending=True, stable=True)]
    ranks = torch.empty_like(order)
    ranks[order] = torch.arange(len(order))
    return ranks


def _followed(
    network: nn.Module,
    ways: Sequence[tuple[Tensor, Tensor]],
    ranks: Tensor,
    at: int,
    steps: int,
    batch_size: int,
) -> Tensor:
    """(ways, steps + 1), the probability of a class while each way's first input becomes its second, by positions."""
    curves = []
    for before, after in ways:
        places = ranks.reshape(before.shape[1:]).to(before.device)
        counts = torch.arange(steps + 1, device=before.device) * places.numel() // steps
        found = []
        for part in counts.split(batch_size):
            changed = places < part.reshape(-1, *[1] * places.ndim)  # (part, *size)
            mixed = torch.where(changed[:, None], after, before)
            found.append(scores_of(network, mixed, WHO).softmax(1)[:, at].cpu())
        curves.append(torch.cat(found))
    return torch.stack(curves)
