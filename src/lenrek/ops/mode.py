"""Training or evaluation, for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def in_mode(layer: object, *, training: bool) -> Iterator[None]:
    """A module in training or evaluation; afterwards each of its parts is again in the mode in which it was.

    What is no module has no mode.
    """
    if not isinstance(layer, nn.Module):
        yield
        return
    modes = [(module, module.training) for module in layer.modules()]
    try:
        layer.train(training)
        yield
    finally:
        for module, mode in modes:
            module.training = mode
