"""Curves over any quantity, drawn as SVG: round ticks, and a name at the end of each line instead of a legend."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from lenrek.drawing.svg import drawing, element, path
from lenrek.drawing.ticks import linear_ticks, log_ticks

WIDTH, HEIGHT = 460, 268
LEFT, RIGHT, TOP, BOTTOM = 48, 366, 22, 226
LABEL_HEIGHT = 32
LETTER = 7.5  # of a label, at most, on average
LOG_FROM_RATIO = 20.0
MARGIN = 12  # around a picture that stands alone
STYLE = """
svg { background: #ffffff; color-scheme: light }
text { font: 12.5px system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif; fill: #1c2127 }
.tick { fill: #5d6772; font-size: 12px }
.grid { stroke: #e4e6e8 }
.best { stroke: #5d6772; stroke-dasharray: 2 3 }
.line { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round }
.dot, .label { fill: currentColor }
.label { font-weight: 600 }
.curve { color: #2b6cb0 }
.curve:nth-of-type(4n+2) { color: #b8452a }
.curve:nth-of-type(4n+3) { color: #7a8590 }
.curve:nth-of-type(4n+4) { color: #3f7d4e }
"""


@dataclass(frozen=True)
class Curve:
    """Points (x, y) in order of x; where y is None or not finite, the line has a gap.

    Attributes:
        value: what stands under the name at its end; None for the last y.
    """

    name: str
    points: Sequence[tuple[float, float | None]]
    value: str | None = None

    def finite(self) -> list[tuple[float, float]]:
        return [point for run in self.runs() for point in run]

    def runs(self) -> list[list[tuple[float, float]]]:
        """The points between the gaps."""
        found: list[list[tuple[float, float]]] = [[]]
        for x, y in self.points:
            if y is not None and math.isfinite(y):
                found[-1].append((x, y))
            elif found[-1]:
                found.append([])
        return [run for run in found if run]


def line_plot(
    title: str,
    x_name: str,
    curves: Sequence[Curve],
    written: Callable[[float], str],
    *,
    x_ticks: Sequence[float] = (),
    x_written: Callable[[float], str] = "{:g}".format,
    mark: tuple[float, str] | None = None,
    ceiling: float = math.inf,
    may_be_log: bool = False,
    dots: bool = False,
) -> Markup:
    """Curves over one axis; empty when no curve has a value.

    Args:
        title: what the picture is of, the start of what a screen reader says.
        x_name: what the horizontal axis counts, in a word or two.
        written: a value as text, for ticks and labels; `x_written` the same of the horizontal axis.
        x_ticks: where to mark the horizontal axis; round numbers around the points if empty.
        mark: an x that gets a dashed line, and its name.
        ceiling: no tick above it.
        may_be_log: values that span more than a factor of 20 get a logarithmic axis.
        dots: one on every point, not only on the last.
    """
    drawn = [curve for curve in curves if curve.finite()]
    if not drawn:
        return Markup("")
    values = [y for curve in drawn for _, y in curve.finite()]
    low, high = min(values), max(values)
    log = may_be_log and low > 0 and high / low > LOG_FROM_RATIO
    ticks = [tick for tick in (log_ticks if log else linear_ticks)(low, high) if tick <= ceiling]
    scale: Callable[[float], float] = math.log if log else float
    places = [x for curve in curves for x, _ in curve.points]
    x_ticks = x_ticks or linear_ticks(min(places), max(places), 9)
    first, last = min(*places, *x_ticks), max(*places, *x_ticks)

    def x(place: float) -> float:
        return LEFT + (RIGHT - LEFT) * ((place - first) / (last - first) if last > first else 0.5)

    def y(value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (scale(value) - scale(ticks[0])) / (scale(ticks[-1]) - scale(ticks[0]))

    parts = [
        *_heights([(y(tick), written(tick)) for tick in ticks]),
        *_places([(x(tick), x_written(tick)) for tick in x_ticks], x_name),
    ]
    if mark is not None:
        at = x(mark[0])
        parts.append(element("line", class_="best", x1=at, x2=at, y1=TOP, y2=BOTTOM))
        anchor = "end" if at > RIGHT - 20 else "middle"  # no further right: there are the labels
        parts.append(element("text", mark[1], class_="tick", x=at, y=TOP - 8, text_anchor=anchor))
    label_positions = _spread([y(curve.finite()[-1][1]) for curve in drawn])
    for curve, label_y in zip(drawn, label_positions, strict=True):
        lines = [[(x(place), y(value)) for place, value in run] for run in curve.runs()]
        value = written(curve.finite()[-1][1]) if curve.value is None else curve.value
        parts.append(_line(curve.name, lines, label_y, value, dots))
    width = max(WIDTH, RIGHT + 14 + LETTER * max(len(curve.name) for curve in drawn))
    return drawing(width, HEIGHT, _in_words(title, x_name, drawn, written, log), parts, class_="chart")


def standalone(picture: Markup) -> str:
    """A picture as a file of its own, with the colours that a page would give it; one that is so already, as it is."""
    head, _, rest = str(picture).partition(">")
    if "xmlns=" in head:
        return str(picture)
    width, height = map(float, re.findall(r'viewBox="0 0 (\S+) (\S+)"', head)[0])
    box = f"{-MARGIN} {-MARGIN} {width + 2 * MARGIN:g} {height + 2 * MARGIN:g}"
    head = re.sub(r'viewBox="[^"]*"', f'viewBox="{box}" xmlns="http://www.w3.org/2000/svg"', head)
    return f"{head}><style>{STYLE}</style>{rest}\n"


def _heights(ticks: Sequence[tuple[float, str]]) -> Iterator[Markup]:
    for at, text in ticks:
        yield element("line", class_="grid", x1=LEFT, x2=RIGHT, y1=at, y2=at)
        yield element("text", text, class_="tick", x=LEFT - 8, y=at + 4, text_anchor="end")


def _places(ticks: Sequence[tuple[float, str]], name: str) -> Iterator[Markup]:
    for at, text in ticks:
        yield element("text", text, class_="tick", x=at, y=BOTTOM + 21, text_anchor="middle")
    yield element("text", name, class_="tick", x=(LEFT + RIGHT) / 2, y=BOTTOM + 38, text_anchor="middle")


def _line(name: str, runs: Sequence[Sequence[tuple[float, float]]], label_y: float, value: str, dots: bool) -> Markup:
    parts = [element("path", class_="line", d=path(run)) for run in runs]
    for x, y in [point for run in runs for point in run] if dots else [runs[-1][-1]]:
        parts.append(element("circle", class_="dot", cx=x, cy=y, r=3))
    parts.append(element("text", name, class_="label", x=RIGHT + 14, y=label_y - 2))
    parts.append(element("text", value, class_="value", x=RIGHT + 14, y=label_y + 14))
    return element("g", *parts, class_=f"curve {name.replace(' ', '-')}")


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


def _in_words(title: str, x_name: str, curves: Sequence[Curve], written: Callable[[float], str], log: bool) -> str:
    spans = (
        f"{curve.name} from {written(curve.finite()[0][1])} to {written(curve.finite()[-1][1])}" for curve in curves
    )
    return f"{title} per {x_name}{' on a logarithmic axis' if log else ''}: {', '.join(spans)}."
