"""The reliability diagram: is the network right as often as it says it is?"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from lenrek.data.shown import counted
from lenrek.drawing.svg import drawing, element
from lenrek.training.evaluation import CalibrationBin, Evaluation
from lenrek.training.wording import percent

WIDTH, HEIGHT = 460, 340
LEFT, RIGHT, TOP, BOTTOM = 48, 448, 10, 230
COUNTS_TOP, COUNTS_BOTTOM = 246, 296
FEW = 10
"""Bins of fewer samples are drawn pale: their accuracy says little."""


def reliability_diagram(bins: Sequence[CalibrationBin]) -> Markup:
    """Bars: accuracy per bin of confidence; strokes: how far from the mean confidence it is; below: sample counts."""
    parts = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        at = _y(share)
        parts.append(element("line", class_="grid", x1=LEFT, x2=RIGHT, y1=at, y2=at))
        parts.append(element("text", f"{100 * share:.0f} %", class_="tick", x=LEFT - 8, y=at + 4, text_anchor="end"))
        below = COUNTS_BOTTOM + 18
        parts.append(element("text", f"{100 * share:.0f} %", class_="tick", x=_x(share), y=below, text_anchor="middle"))
    largest = max(one.count for one in bins)
    for one in bins:
        if one.count:
            parts.append(_bin(one, largest))
    parts.append(element("line", class_="ideal", x1=LEFT, x2=RIGHT, y1=BOTTOM, y2=TOP))
    parts.append(element("text", "accuracy", class_="tick", x=LEFT + 6, y=TOP + 12))
    parts.append(element("text", "samples", class_="tick", x=LEFT + 6, y=COUNTS_TOP + 12))
    parts.append(element("text", "confidence", class_="tick", x=(LEFT + RIGHT) / 2, y=HEIGHT - 6, text_anchor="middle"))
    described = "; ".join(
        f"confidence {percent(one.confidence)}, accuracy {percent(one.accuracy)}, {counted(one.count, 'sample')}"
        for one in bins
        if one.count
    )
    return drawing(WIDTH, HEIGHT, f"Reliability diagram. {described}.", parts, class_="chart reliability")


def calibration_sentence(evaluation: Evaluation) -> str:
    """What the diagram shows, in words."""
    confidence = sum(one.count * one.confidence for one in evaluation.calibration_bins) / evaluation.num_samples
    claimed, right = percent(confidence), percent(evaluation.accuracy)
    low, high = evaluation.accuracy_interval
    if low <= confidence <= high:
        verdict = f"as sure as it should be, as far as {counted(evaluation.num_samples, 'sample')} can tell"
    else:
        verdict = "surer than it should be" if confidence > high else "less sure than it should be"
    return (
        f"On average the network claims {claimed} and is right in {right}: overall {verdict}. "
        f"Calibration error {percent(evaluation.calibration_error)}."
    )


def _bin(one: CalibrationBin, largest: int) -> Markup:
    left, right = _x(one.lower) + 1, _x(one.upper) - 1
    gap_x = min(max(_x(one.confidence), left), right)
    height = max((COUNTS_BOTTOM - COUNTS_TOP) * one.count / largest, 1)
    return element(
        "g",
        element("rect", class_="bar", x=left, y=_y(one.accuracy), width=right - left, height=BOTTOM - _y(one.accuracy)),
        element("line", class_="gap", x1=gap_x, x2=gap_x, y1=_y(one.accuracy), y2=_y(one.confidence)),
        element("rect", class_="count", x=left, y=COUNTS_BOTTOM - height, width=right - left, height=height),
        element(
            "title",
            f"confidence {percent(one.lower)} to {percent(one.upper)}: {counted(one.count, 'sample')}, "
            f"{percent(one.accuracy)} right",
        ),
        class_="few" if one.count < FEW else None,
    )


def _x(share: float) -> float:
    return LEFT + (RIGHT - LEFT) * share


def _y(share: float) -> float:
    return BOTTOM - (BOTTOM - TOP) * share
