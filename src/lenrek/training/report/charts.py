"""Curves over epochs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from lenrek.drawing import plot
from lenrek.drawing.ticks import integer_ticks


@dataclass(frozen=True)
class Curve:
    """Values of one quantity, one per epoch; None or a value that is not finite leaves a gap."""

    name: str
    values: Sequence[float | None]


def line_chart(
    title: str,
    epochs: Sequence[int],
    curves: Sequence[Curve],
    written: Callable[[float], str],
    x_name: str = "epoch",
    best_epoch: int | None = None,
    ceiling: float = math.inf,
    may_be_log: bool = False,
) -> Markup:
    """Curves over epochs; empty when no curve has a value.

    Args:
        written: a value as text, for ticks and labels.
        x_name: what an epoch is.
        best_epoch: gets a mark.
        ceiling: no tick above it.
        may_be_log: values that span more than a factor of 20 get a logarithmic axis.
    """
    return plot.line_plot(
        title,
        x_name,
        [plot.Curve(curve.name, list(zip(epochs, curve.values, strict=True))) for curve in curves],
        written,
        x_ticks=integer_ticks(epochs[0], epochs[-1]) if epochs else (),
        mark=None if best_epoch is None else (best_epoch, "kept"),
        ceiling=ceiling,
        may_be_log=may_be_log,
    )
