"""A latent map drawn: a point for each sample in its label's colour, and small pictures where there is room."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from markupsafe import Markup

from lenrek.data.evenly import evenly_spaced
from lenrek.data.shown import shown
from lenrek.drawing.svg import drawing, element
from lenrek.explain.features.latent_map import LatentMap

WIDTH, HEIGHT, MARGIN = 900, 640, 28
PICTURE_PX = 36
MOST_POINTS = 5000  # drawn, evenly spaced: each has its name
COLOURS = (
    "#2b6cb0", "#c8641e", "#3a8f4f", "#b03a5b", "#8a4fb0", "#8f7a1e", "#1e8f8a", "#6b6f76", "#d0568f", "#5a7d2a",
)  # fmt: skip
OTHER = "#9aa3ad"  # of further labels
LEGEND_LINE = 18


def draw_map(
    found: LatentMap,
    names: Sequence[str] = (),
    labels: Sequence[str] = (),
    source_of: Callable[[int], str | None] | None = None,
) -> Markup:
    """The points on a plane with equal scales on both axes; pointing at one shows its name and label.

    Args:
        names, labels: of every sample, or none.
        source_of: the address of a small picture of a sample (`png_source`), or None where it has none; asked for those
            that have room, which do not hide each other.
    """
    points = found.points.astype(np.float64)
    low, high = points.min(0), points.max(0)
    scale = min(*((np.array([WIDTH, HEIGHT]) - 2 * MARGIN) / np.maximum(high - low, 1e-12)))
    middle = (low + high) / 2
    places = np.stack(
        [WIDTH / 2 + scale * (points[:, 0] - middle[0]), HEIGHT / 2 - scale * (points[:, 1] - middle[1])], 1
    )
    drawn = evenly_spaced(len(points), MOST_POINTS)
    colours = colours_of(labels)
    known = list(colours)
    parts = [element("rect", width=WIDTH, height=HEIGHT, fill="#fbfbfa", stroke="#d5d9de")]
    for index in drawn:
        label = labels[index] if labels else ""
        told = ", ".join(shown(text) for text in (names[index] if names else "", label) if text)
        parts.append(
            element(
                "circle", element("title", told) if told else "", cx=places[index, 0], cy=places[index, 1], r=3,
                fill=colours.get(label, COLOURS[0] if not known else OTHER), fill_opacity=0.75,
            )
        )  # fmt: skip
    if source_of is not None:
        parts += _pictures(places, drawn, labels, colours, source_of)
    for at, label in enumerate(known[: len(COLOURS)]):
        y = HEIGHT + LEGEND_LINE * (1 + at // 4)
        x = 4 + (at % 4) * WIDTH / 4
        parts.append(element("circle", cx=x + 5, cy=y - 4, r=5, fill=colours[label]))
        parts.append(element("text", shown(label)[:32], x=x + 16, y=y, font_size=13, fill="#1c2127"))
    lines = -(-min(len(known), len(COLOURS)) // 4)
    if len(known) > len(COLOURS):
        lines += 1
        rest = f"and {len(known) - len(COLOURS)} further labels in grey"
        parts.append(element("text", rest, x=4, y=HEIGHT + LEGEND_LINE * lines, font_size=13, fill="#5d6772"))
    below = LEGEND_LINE * lines + 8 if lines else 0
    return drawing(WIDTH, HEIGHT + below, f"{len(points):,} samples on a plane. {found.caption}", parts)


def colours_of(labels: Sequence[str]) -> dict[str, str]:
    """A colour for each label, sorted; grey for all beyond the tenth.

    >>> colours_of(["b", "a", "", "b"])
    {'a': '#2b6cb0', 'b': '#c8641e'}
    """
    known = sorted({label for label in labels if label})
    return {label: COLOURS[at] if at < len(COLOURS) else OTHER for at, label in enumerate(known)}


def _pictures(
    places: np.ndarray,
    drawn: np.ndarray,
    labels: Sequence[str],
    colours: dict[str, str],
    source_of: Callable[[int], str | None],
) -> list[Markup]:
    """Pictures of points, none over another, the first samples first."""
    taken: list[np.ndarray] = []
    parts = []
    for index in drawn:
        at = places[index]
        if taken and float(np.abs(np.array(taken) - at).max(1).min()) < PICTURE_PX + 4:
            continue
        source = source_of(int(index))
        if source is None:
            continue
        taken.append(at)
        x, y = at - PICTURE_PX / 2
        colour = colours.get(labels[index] if labels else "", OTHER)
        square = {"x": float(x), "y": float(y), "width": PICTURE_PX, "height": PICTURE_PX}
        parts.append(element("image", href=source, **square))
        parts.append(element("rect", **square, fill="none", stroke=colour, stroke_width=1.5))
    return parts
