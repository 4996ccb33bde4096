"""Deletion and insertion: does the class's probability follow what a heat-map holds for important?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lenrek.errors import OptionError
from lenrek.explain.evidence.blur import blurred
from lenrek.explain.evidence.integrated_gradients import read_baseline
from lenrek.explain.evidence.network import check_count, looked_into, plain_network, samples_for, scores_of
from lenrek.explain.evidence.result import Evidence

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
    for name, given in (("steps", steps), ("random_orders", random_orders), ("batch_size", batch_size)):
        check_count(name, given, WHO)
    network = plain_network(model, WHO)
    with looked_into(network), torch.no_grad():
        samples = samples_for(network, x, WHO)
        positions = samples[0, 0].numel()
        if tuple(evidence.values.shape) != (len(samples), *samples.shape[2:]):
            raise OptionError(
                f"{WHO}: evidence is of {tuple(evidence.values.shape)} = (batch, *size), but x is "
                f"{tuple(samples.shape)}.\n  Hint: it must be made from this x."
            )
        if steps > positions:
            raise OptionError(f"{WHO}: steps is {steps}, but the input has {positions} positions.")
        under = read_baseline(baseline, samples, WHO)
        begin = blurred(samples) if start is None else read_baseline(start, samples, WHO)
        generator = torch.Generator().manual_seed(seed)
        curves: list[list[Tensor]] = [[], [], [], []]
        for one, cover, first, values, at in zip(
            samples, under, begin, evidence.values, evidence.target.tolist(), strict=True
        ):
            ranks = _ranks(values.flatten(), generator)
            randoms = [torch.randperm(positions, generator=generator) for _ in range(random_orders)]

            def curve(before: Tensor, after: Tensor, ranks: Tensor, at: int = at) -> Tensor:
                return _followed(network, before, after, ranks, at, steps, batch_size)

            curves[0].append(curve(one, cover, ranks))
            curves[1].append(curve(first, one, ranks))
            curves[2].append(torch.stack([curve(one, cover, order) for order in randoms]).mean(0))
            curves[3].append(torch.stack([curve(first, one, order) for order in randoms]).mean(0))
    return Faithfulness(evidence.method, torch.arange(steps + 1) / steps, *map(torch.stack, curves))


def area(curve: Tensor) -> Tensor:
    """Under a curve of equal steps from 0 to 1, by trapezia.

    >>> area(torch.tensor([1.0, 0.0, 0.0]))
    tensor(0.2500)
    """
    return (curve.sum(-1) - (curve[..., 0] + curve[..., -1]) / 2) / (curve.shape[-1] - 1)


def _ranks(values: Tensor, generator: torch.Generator) -> Tensor:
    """The place of each position, 0 for the largest value; equal ones in random order, not from corner to corner."""
    shuffled = torch.randperm(len(values), generator=generator)
    order = shuffled[values[shuffled].argsort(descending=True, stable=True)]
    ranks = torch.empty_like(order)
    ranks[order] = torch.arange(len(order))
    return ranks


def _followed(
    network: nn.Module, before: Tensor, after: Tensor, ranks: Tensor, at: int, steps: int, batch_size: int
) -> Tensor:
    """The probability of a class while `before` becomes `after`, position by position."""
    places = ranks.reshape(before.shape[1:]).to(before.device)
    counts = torch.arange(steps + 1, device=before.device) * places.numel() // steps
    found = []
    for part in counts.split(batch_size):
        changed = places < part.reshape(-1, *[1] * places.ndim)  # (part, *size)
        mixed = torch.where(changed[:, None], after, before)
        found.append(scores_of(network, mixed, WHO).softmax(1)[:, at].cpu())
    return torch.cat(found)
