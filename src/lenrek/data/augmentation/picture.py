"""A picture of what a policy does: a row per class, the sample as it is, then as training sees it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from PIL import Image, ImageDraw
from torch import Tensor

from lenrek.data.augmentation.policy import Policy
from lenrek.data.augmentation.safety import Sensitivity, policy_views
from lenrek.drawing.pictures import picture
from lenrek.drawing.svg import element

LEAST_PX = 64  # small images are enlarged to about this side
GAP_PX, NAME_PX, TITLE_PX = 6, 110, 22
STYLE = """
body { font: 15px system-ui, sans-serif; color: #1c2127; background: #fff; margin: 2rem }
table { border-collapse: collapse } th { text-align: left; font-weight: 600; padding: 4px 12px 4px 0 }
td { padding: 3px } td.number { text-align: right; padding-right: 12px }
img { display: block; min-width: 64px; height: auto } .pixelated { image-rendering: pixelated }
svg { width: 160px; display: block } .wave { fill: none; stroke: #2b6cb0 } .grid { stroke: #e4e6e8 }
.first td:nth-child(2) { border-right: 2px solid #1c2127 } .flagged { color: #b8452a; font-weight: 600 }
"""


def policy_page(
    policy: Policy,
    x: Tensor,
    labels: np.ndarray,
    classes: Sequence[str],
    *,
    name: str,
    views: int = 8,
    seed: int = 0,
    sensitivities: Sequence[Sensitivity] = (),
) -> str:
    """One HTML file with everything inside.

    Args:
        x: (batch, channels, *size), one or more samples of every class, in the order of the rows.
        name: of the data.
        sensitivities: of `label_safety`; those flagged get a table.
    """
    columns = policy_views(policy, x, labels, classes, views, seed)
    title = f"{policy} on {name}"
    head = element("tr", *(element("th", word) for word in ("class", "as it is", *map(str, range(1, views + 1)))))
    rows = [
        element(
            "tr",
            element("th", classes[label]),
            *(
                element("td", picture(column[number].numpy(), f"{classes[label]}, {_view(place)}"))
                for place, column in enumerate(columns)
            ),
            class_="first",
        )
        for number, label in enumerate(np.asarray(labels).tolist())
    ]
    parts = [
        element("h1", title),
        element("p", policy.describe(x.shape[1], x.shape[2:])),
        element("table", head, *rows),
        *_flags(sensitivities),
    ]
    language = Markup('<!doctype html>\n<html lang="en"><head><meta charset="utf-8">')
    return str(language + element("title", title) + element("style", Markup(STYLE)) + Markup("</head>")
               + element("body", *parts) + Markup("</html>\n"))  # fmt: skip


def policy_montage(
    policy: Policy, x: Tensor, labels: np.ndarray, classes: Sequence[str], *, views: int = 8, seed: int = 0
) -> Image.Image:
    """The same of images (2-D) as one image, to be saved as PNG."""
    columns = policy_views(policy, x, labels, classes, views, seed)
    size = tuple(x.shape[2:])
    factor = max(1, round(LEAST_PX / max(size)))
    high, wide = (n * factor for n in size)
    canvas = Image.new(
        "RGB", (NAME_PX + (views + 1) * (wide + GAP_PX) + GAP_PX, TITLE_PX + len(x) * (high + GAP_PX)), "white"
    )
    write = ImageDraw.Draw(canvas)
    for place, column in enumerate(columns):
        left = NAME_PX + place * (wide + GAP_PX) + (GAP_PX if place else 0)
        write.text((left, 5), "as it is" if place == 0 else str(place), fill="#1c2127")
        for number, sample in enumerate(column):
            pixels = sample.numpy()
            if pixels.dtype != np.uint8:
                pixels = (255 * (pixels - pixels.min()) / max(float(np.ptp(pixels)), 1e-9)).astype(np.uint8)
            rgb = pixels.transpose(1, 2, 0) if len(pixels) == 3 else pixels.mean(0).astype(np.uint8)
            image = Image.fromarray(np.ascontiguousarray(rgb)).resize((wide, high), Image.Resampling.NEAREST)
            canvas.paste(image.convert("RGB"), (left, TITLE_PX + number * (high + GAP_PX)))
    for number, label in enumerate(np.asarray(labels).tolist()):
        middle = TITLE_PX + number * (high + GAP_PX) + high // 2 - 6
        write.text((4, middle), classes[label][:16], fill="#1c2127")
    return canvas


def _view(place: int) -> str:
    return "as it is" if place == 0 else f"view {place}"


def _flags(sensitivities: Sequence[Sensitivity]) -> list[Markup]:
    if not sensitivities:
        return []
    flagged = [one for one in sensitivities if one.flagged]
    if not flagged:
        return [element("h2", "Classes"), element("p", "The network sees every class as before, whatever is done.")]
    words = ("class", "transform", "then taken for another", "wrong as it is", "mostly for")
    rows = [
        element("tr", *(element("td", text) for text in (
            one.class_name, one.transform, f"{one.changed:.0%}", f"{one.base:.0%}", one.becomes
        )), class_="flagged")
        for one in flagged
    ]  # fmt: skip
    return [
        element("h2", "What changes a class, as the network sees it"),
        element("table", element("tr", *(element("th", word) for word in words)), *rows),
    ]
