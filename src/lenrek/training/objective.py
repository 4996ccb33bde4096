"""What a network is trained for: one class per sample, or where samples are mixed, shares of two.

Here is where a regression head or several labels per sample would come in: another set of these functions, and
the evaluation that goes with it. Nothing else in training knows what the outputs mean.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import cross_entropy


@dataclass(frozen=True)
class Targets:
    """What the samples of a batch show.

    Attributes:
        labels: (batch,) int64.
        mixed_in: (batch,) int64, the classes of the samples that were mixed in; None where none were.
        share: how much of each sample is its own, in [0, 1]; the rest is of `mixed_in`.
    """

    labels: Tensor
    mixed_in: Tensor | None = None
    share: float = 1.0

    def parts(self) -> list[tuple[float, Tensor]]:
        """Every share with its labels."""
        own = [(self.share, self.labels)]
        return own if self.mixed_in is None else [*own, (1 - self.share, self.mixed_in)]


def loss(logits: Tensor, targets: Targets, label_smoothing: float = 0.0, class_weights: Tensor | None = None) -> Tensor:
    """Mean over the batch of Σ_k share_k · weight[label_k] · cross-entropy(label_k), in nats.

    Without weights that is the cross-entropy with the mixed one-hot labels.

    Args:
        logits: (batch, classes).
        label_smoothing: of each label, so much is spread over all classes.
        class_weights: (classes,). The sum is divided by the number of samples, not by the sum of their weights, so that
            its expectation is the loss on data in which the classes come as often as their weights say.
    Source: Zhang et al. 2018, arXiv:1710.09412 (mixed labels); Szegedy et al. 2016, arXiv:1512.00567, §7 (smoothing).
    Example:
        >>> import torch
        >>> logits = torch.tensor([[0.0, 0.0], [0.0, 0.0]])
        >>> loss(logits, Targets(torch.tensor([0, 1])), class_weights=torch.tensor([0.5, 1.5]))
        tensor(0.6931)
    """
    if class_weights is None:
        each = [share * cross_entropy(logits, own, label_smoothing=label_smoothing) for share, own in targets.parts()]
    else:
        each = [
            share
            * (
                cross_entropy(logits, own, label_smoothing=label_smoothing, reduction="none") * class_weights[own]
            ).mean()
            for share, own in targets.parts()
        ]
    return sum(each[1:], start=each[0])


def num_right(logits: Tensor, targets: Targets) -> float:
    """How many samples have their own class as the highest score; of a mixed one its classes count by their shares."""
    highest = logits.argmax(1)
    return sum(share * (highest == own).sum().item() for share, own in targets.parts())


def posteriors(logits: Tensor) -> Tensor:
    """Class probabilities (batch, classes) in float64."""
    return logits.double().softmax(1)
