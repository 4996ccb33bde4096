"""One method on a page: its heat-map, and under it what becomes of the class when samples go and come."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from torch import Tensor

from lenrek.drawing.pictures import picture
from lenrek.drawing.svg import drawing, element, path
from lenrek.drawing.tile import SIDE_PX, Tile
from lenrek.explain.evidence.faithfulness import Faithfulness
from lenrek.explain.evidence.painted import evidence_tile
from lenrek.explain.evidence.result import Evidence

SIDE = 2 * SIDE_PX
WIDTH, HEIGHT, EDGE = 192, 64, 3  # of a small plot
OWN, RANDOM, FRAME = "#b8452a", "#8a949e", "#c9ced3"


def evidence_card(stored: np.ndarray, evidence: Evidence, faith: Faithfulness, name: str) -> Markup:
    """The heat-map of a single sample with its curves.

    Args:
        stored: (channels, *size).
        name: of the class.
    """
    cells = " × ".join(map(str, evidence.cells.shape[1:]))
    if evidence.layer:
        where = f"{evidence.layer}, {cells} cells"
    else:
        where = f"{cells} windows" if evidence.gap is None else "each sample of the input"
    tile = evidence_tile(stored, evidence.values[0].double().numpy(), f"{evidence.method} for {name}", side=SIDE)
    areas = [
        (kind, getattr(faith, f"{kind}_auc").item(), getattr(faith, f"random_{kind}_auc").item())
        for kind in ("deletion", "insertion")
    ]
    plots = []
    for kind, own, random in areas:
        told = f"{kind} {own:.2f}, random {random:.2f}"
        curves = (getattr(faith, f"random_{kind}")[0], getattr(faith, kind)[0])
        plots.append(element("div", small_plot(curves, told), element("span", told), style=f"width:{WIDTH}px"))
    below = element("div", *plots, class_="tiles", style="margin-top:.5rem")
    return _figure(tile, element("b", evidence.method), element("span", where), below)


def input_card(stored: np.ndarray) -> Markup:
    """The sample as it is, in its own colours, beside its heat-maps."""
    if stored.ndim == 3 and len(stored) in (1, 3):
        shown = picture(stored, "the input")
        return element(
            "figure", element("div", shown), element("b", "the input"), class_="tile", style=f"width:{SIDE}px"
        )
    blank = evidence_tile(stored, np.zeros(stored.shape[1:]), "the input", side=SIDE)
    return _figure(blank, element("b", "the input"))


def small_plot(curves: Sequence[Tensor], description: str) -> Markup:
    """A random order in grey, and a map's own in red, from nothing to everything, between probabilities 0 and 1."""
    parts = [element("rect", x=0, y=0, width=WIDTH, height=HEIGHT, fill="none", stroke=FRAME)]
    for curve, colour in zip(curves, (RANDOM, OWN), strict=True):
        xs = np.linspace(EDGE, WIDTH - EDGE, len(curve))
        ys = HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * curve.double().numpy()
        parts.append(
            element("path", d=path(zip(xs, ys, strict=True)), style=f"fill:none;stroke:{colour};stroke-width:2")
        )
    return drawing(WIDTH, HEIGHT, description, parts)


def _figure(tile: Tile, *below: Markup) -> Markup:
    held = element("div", tile.picture, style=f"aspect-ratio:{tile.width:g}/{tile.height:g}")
    return element("figure", held, *below, class_="tile", style=f"width:{max(tile.width, SIDE):g}px")
