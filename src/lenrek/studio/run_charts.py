"""Curves of runs, drawn as their reports draw them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lenrek.drawing.plot import Curve, line_plot
from lenrek.studio.run_files import RunFiles
from lenrek.training.report.page import charts
from lenrek.training.report.record import DataSummary, RunRecord

MOST_COMPARED = 8
LONGEST_NAME = 22
SVG = '<svg xmlns="http://www.w3.org/2000/svg" '


def charts_of(config: dict[str, Any], history: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """Loss, accuracy, learning rate and speed, each with its title and markup."""
    best = next((row["epoch"] for row in reversed(history) if row.get("best")), None)
    record = RunRecord(
        title="", config=config, history=history, evaluations={}, data=DataSummary("", "image", {}, 1, ()), classes=(),
        versions={}, machine="", parameters=0, time_s=0.0, best_epoch=best,
    )  # fmt: skip
    return [{"title": title, "svg": drawn(chart)} for title, chart in charts(record)]


def compared(column: str, runs: Sequence[RunFiles]) -> str:
    """One quantity of the first runs over their epochs; empty where none has it."""
    curves = []
    for run in runs[:MOST_COMPARED]:
        points = [(row["epoch"], _number(row.get(column))) for row in run.history]
        curves.append(Curve(_legible(run.name), points))
    share = column.endswith("accuracy")
    written = (lambda value: f"{100 * value:.3g} %") if share else "{:.3g}".format
    chart = line_plot(
        column.replace("_", " "), "epoch", [curve for curve in curves if curve.finite()], written,
        ceiling=1.0 if share else float("inf"), may_be_log=not share,
    )  # fmt: skip
    return drawn(chart)


def drawn(markup: str) -> str:
    """A drawing as the page reads it, with its name space."""
    return str(markup).replace("<svg ", SVG, 1)


def _legible(name: str) -> str:
    """A name beside a curve: the middle of a long one would leave no room for the curves.

    >>> _legible("2026-11-22-1344-cifar10-resnet20")
    '2026-11-22…10-resnet20'
    """
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME // 2 - 1]}…{name[-LONGEST_NAME // 2 :]}"


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
