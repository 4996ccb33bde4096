"""What a network is trained for: one class per sample.

Here is where a regression head or several labels per sample would come in: another set of these three functions, and
the evaluation that goes with it. Nothing else in training knows what the outputs mean.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy


def loss(logits: Tensor, labels: Tensor, label_smoothing: float) -> Tensor:
    """Mean cross-entropy in nats; `label_smoothing` of the target is spread over all classes."""
    return cross_entropy(logits, labels, label_smoothing=label_smoothing)


def num_right(logits: Tensor, labels: Tensor) -> float:
    """How many samples have their own class as the highest score."""
    return (logits.argmax(1) == labels).sum().item()


def posteriors(logits: Tensor) -> Tensor:
    """Class probabilities (batch, classes) in float64."""
    return logits.double().softmax(1)
