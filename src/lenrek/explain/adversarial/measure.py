"""The accuracy that is left under changes of growing size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from markupsafe import Markup

from lenrek.drawing.plot import Curve, line_plot
from lenrek.errors import OptionError
from lenrek.explain.adversarial.attacks import Climb, Norm, check_size, climb
from lenrek.explain.adversarial.units import units_of
from lenrek.explain.evidence.network import check_count, looked_into, samples_for, scores_of
from lenrek.explain.evidence.target import Target, classes_of, read_target
from lenrek.explain.network_of import plain_network
from lenrek.models.contract import InputContract

WHO = "robustness"
EPSILONS = (0.0, 1 / 255, 2 / 255, 4 / 255, 8 / 255)
METHODS = ("fgsm", "pgd")


@dataclass(frozen=True)
class RobustnessRow:
    """One size of change.

    Attributes:
        epsilon: in the samples' own units.
        right: samples whose class no tried change of at most this size has altered.
        accuracy: their share.
    """

    epsilon: float
    right: int
    accuracy: float


@dataclass(frozen=True)
class Robustness:
    """What is left of the accuracy; printed, a table.

    Attributes:
        method: "fgsm" or "pgd"; norm: "linf" or "l2".
        samples: how many were attacked.
        rows: one for each size, ascending. An upper bound each: a stronger attack may find more.
    """

    method: str
    norm: str
    samples: int
    rows: tuple[RobustnessRow, ...]

    def chart(self) -> Markup:
        """Accuracy over the size of the change, as SVG."""
        curve = Curve(self.method, [(row.epsilon, row.accuracy) for row in self.rows])
        title = f"Accuracy left under {self.method}, {self.norm}"
        return line_plot(title, "epsilon", [curve], "{:.0%}".format, x_written="{:.3g}".format, ceiling=1.0, dots=True)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self) | {"rows": [asdict(row) for row in self.rows]}

    def __str__(self) -> str:
        head = f"{self.method}, {self.norm}, {self.samples} samples"
        rows = [f"{row.epsilon:>9.4g}  {100 * row.accuracy:>7.2f} %" for row in self.rows]
        return "\n".join([head, "  epsilon   accuracy", *rows])


def robustness(
    model: Any,
    x: Any,
    labels: Target,
    epsilons: Sequence[float] = EPSILONS,
    *,
    method: Literal["fgsm", "pgd"] = "pgd",
    norm: Norm = "linf",
    steps: int | None = None,
    seed: int = 0,
    batch_size: int = 64,
    contract: InputContract | None = None,
) -> Robustness:
    """How many samples keep their right class under changes of each size that FGSM or PGD finds.

    A sample that a small change has fooled counts as fooled by every larger one, which contains it.

    Args:
        model, x, norm, contract: as for `fgsm`.
        labels: the right class of each sample, by index or name.
        epsilons: sizes, in the samples' own units before normalisation.
        method: "pgd" finds more, "fgsm" is one step.
        steps: of "pgd", by default 10.
        seed: of its random starts.
        batch_size: samples at once.
    Raises:
        OptionError: no sizes, an unknown method, steps for "fgsm".
    Example:
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Flatten(), nn.Linear(1, 2, bias=False))
        >>> _ = net[1].weight.data.copy_(torch.tensor([[1.0], [-1.0]]))
        >>> plain = InputContract(1, (1,), (0.5,), (1.0,), ("a", "b"))
        >>> x = torch.tensor([0.3, 0.05, -0.2]).reshape(3, 1, 1)
        >>> print(robustness(net, x, [0, 0, 1], (0, 0.1, 0.25), contract=plain))
        pgd, linf, 3 samples
          epsilon   accuracy
                0   100.00 %
              0.1    66.67 %
             0.25    33.33 %
    """
    if method not in METHODS:
        raise OptionError(f"{WHO}: method is {method!r}, expected 'fgsm' or 'pgd'.")
    if method == "fgsm" and steps is not None:
        raise OptionError(f"{WHO}: steps={steps} has no effect on fgsm, which takes one.\n  Hint: leave it out.")
    count = 1 if method == "fgsm" else 10 if steps is None else steps
    check_count("steps", count, WHO)
    check_count("batch_size", batch_size, WHO)
    if not len(epsilons):
        raise OptionError(f"{WHO}: epsilons is empty, expected at least one size.")
    for one in epsilons:
        check_size(one, norm, WHO)
    network = plain_network(model, WHO)
    left = []
    with looked_into(network):
        samples = samples_for(network, x, WHO)
        units = units_of(model, contract, samples, WHO)
        with torch.no_grad():
            scores = torch.cat([scores_of(network, part, WHO) for part in samples.split(batch_size)])
        right = read_target(labels, scores, classes_of(model), WHO)
        stands = scores.argmax(1) == right
        for epsilon in sorted(set(epsilons)):
            way = Climb.fgsm(epsilon, norm) if method == "fgsm" else Climb.pgd(epsilon, norm, count, seed=seed)
            for part in stands.nonzero()[:, 0].split(batch_size) if epsilon else ():
                changed = climb(network, samples[part], right[part], units, way, WHO)
                with torch.no_grad():
                    stands[part] = scores_of(network, changed, WHO).argmax(1) == right[part]
            found = int(stands.sum())
            left.append(RobustnessRow(float(epsilon), found, found / len(samples)))
    return Robustness(method, norm, len(samples), tuple(left))
