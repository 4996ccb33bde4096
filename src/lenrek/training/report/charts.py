"""Curves over epochs, drawn as SVG: round ticks, and a name at the end of each line instead of a legend."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from lenrek.drawing.svg import drawing, element, path
from lenrek.drawing.ticks import integer_ticks, linear_ticks, log_ticks

WIDTH, HEIGHT = 460, 260
LEFT, RIGHT, TOP, BOTTOM = 48, 366, 22, 226
LABEL_HEIGHT = 32
LOG_FROM_RATIO = 20.0


@dataclass(frozen=True)
class Curve:
    """Values of one quantity, one per epoch; None or a value that is not finite leaves a gap."""

    name: str
    values: Sequence[float | None]

    def finite(self) -> list[tuple[int, float]]:
        return [(index, value) for index, value in enumerate(self.values) if value is not None and math.isfinite(value)]


def line_chart(
    title: str,
    epochs: Sequence[int],
    curves: Sequence[Curve],
    written: Callable[[float], str],
    best_epoch: int | None = None,
    ceiling: float = math.inf,
    may_be_log: bool = False,
) -> Markup:
    """Curves over epochs; empty when no curve has a value.

    Args:
        written: a value as text, for ticks and labels.
        best_epoch: gets a mark.
        ceiling: no tick above it.
        may_be_log: values that span more than a factor of 20 get a logarithmic axis.
    """
    drawn = [curve for curve in curves if curve.finite()]
    if not drawn:
        return Markup("")
    values = [value for curve in drawn for _, value in curve.finite()]
    low, high = min(values), max(values)
    log = may_be_log and low > 0 and high / low > LOG_FROM_RATIO
    ticks = [tick for tick in (log_ticks if log else linear_ticks)(low, high) if tick <= ceiling]
    scale: Callable[[float], float] = math.log if log else float

    def x(epoch: float) -> float:
        span = epochs[-1] - epochs[0]
        return LEFT + (RIGHT - LEFT) * ((epoch - epochs[0]) / span if span else 0.5)

    def y(value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (scale(value) - scale(ticks[0])) / (scale(ticks[-1]) - scale(ticks[0]))

    parts = [*_axes(x, y, epochs, ticks, written)]
    if best_epoch is not None:
        at = x(best_epoch)
        parts.append(element("line", class_="best", x1=at, x2=at, y1=TOP, y2=BOTTOM))
        anchor = "end" if at > RIGHT - 20 else "middle"  # no further right: there are the labels
        parts.append(element("text", "kept", class_="tick", x=at, y=TOP - 8, text_anchor=anchor))
    label_positions = _spread([y(curve.finite()[-1][1]) for curve in drawn])
    for curve, label_y in zip(drawn, label_positions, strict=True):
        parts += _line(curve, epochs, x, y, label_y, written)
    return drawing(WIDTH, HEIGHT, _in_words(title, drawn, written, log), parts, class_="chart")


def _axes(
    x: Callable[[float], float],
    y: Callable[[float], float],
    epochs: Sequence[int],
    ticks: Sequence[float],
    written: Callable[[float], str],
) -> list[Markup]:
    parts = []
    for tick in ticks:
        at = y(tick)
        parts.append(element("line", class_="grid", x1=LEFT, x2=RIGHT, y1=at, y2=at))
        parts.append(element("text", written(tick), class_="tick", x=LEFT - 8, y=at + 4, text_anchor="end"))
    for epoch in integer_ticks(epochs[0], epochs[-1]):
        parts.append(element("text", str(epoch), class_="tick", x=x(epoch), y=BOTTOM + 21, text_anchor="middle"))
    parts.append(element("text", "epoch", class_="tick", x=LEFT - 8, y=BOTTOM + 21, text_anchor="end"))
    return parts


def _line(
    curve: Curve,
    epochs: Sequence[int],
    x: Callable[[float], float],
    y: Callable[[float], float],
    label_y: float,
    written: Callable[[float], str],
) -> list[Markup]:
    runs: list[list[tuple[float, float]]] = []
    previous = None
    for index, value in curve.finite():
        if previous is None or index != previous + 1:
            runs.append([])
        runs[-1].append((x(epochs[index]), y(value)))
        previous = index
    end_x, end_y = runs[-1][-1]
    parts = [element("path", class_="line", d=path(run)) for run in runs]
    parts.append(element("circle", class_="dot", cx=end_x, cy=end_y, r=3))
    parts.append(element("text", curve.name, class_="label", x=RIGHT + 14, y=label_y - 2))
    parts.append(element("text", written(curve.finite()[-1][1]), class_="value", x=RIGHT + 14, y=label_y + 14))
    return [element("g", *parts, class_=f"curve {curve.name.replace(' ', '-')}")]


def _spread(positions: Sequence[float]) -> list[float]:
    """The positions moved apart until labels there do not overlap, in the same order.

    >>> _spread([100, 110, 200])
    [89.0, 121.0, 200]
    """
    moved = list(positions)
    order = sorted(range(len(moved)), key=lambda index: moved[index])
    for _ in range(len(order)):
        for upper, lower in pairwise(order):
            overlap = LABEL_HEIGHT - (moved[lower] - moved[upper])
            if overlap > 0:
                moved[upper] -= overlap / 2
                moved[lower] += overlap / 2
    return moved


def _in_words(title: str, curves: Sequence[Curve], written: Callable[[float], str], log: bool) -> str:
    spans = (
        f"{curve.name} from {written(curve.finite()[0][1])} to {written(curve.finite()[-1][1])}" for curve in curves
    )
    return f"{title} per epoch{' on a logarithmic axis' if log else ''}: {', '.join(spans)}."
