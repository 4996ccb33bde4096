"""Draws where parameters, arithmetic and memory of VGG-16 are, layer by layer: `python docs/draw_summary.py`."""

from __future__ import annotations

from pathlib import Path

import torch

import lenrek
from lenrek.drawing.plot import standalone
from lenrek.drawing.svg import drawing, element

ROW, LEFT, BAR, GAP = 20, 110, 150, 30


def costs() -> str:
    """Three bars for each convolution and each fully connected layer."""
    with torch.device("meta"):
        network = lenrek.create_model("vgg16", num_classes=1000, in_channels=3)
    rows = [row for row in lenrek.summary(network, (3, 224, 224)).rows if row.innermost and row.macs]
    columns = {
        "parameters": [row.parameters for row in rows],
        "multiply-accumulates": [row.macs for row in rows],
        "output volume": [torch.Size(row.outputs[0]).numel() for row in rows],
    }
    parts = [
        element("text", row.name, x=LEFT - 10, y=ROW * (n + 2), text_anchor="end", class_="tick")
        for n, row in enumerate(rows)
    ]
    for number, (name, values) in enumerate(columns.items()):
        x = LEFT + number * (BAR + GAP)
        parts.append(element("text", name, x=x, y=16))
        for n, value in enumerate(values):
            width = max(1.0, BAR * value / max(values))
            parts.append(element("rect", x=x, y=ROW * (n + 2) - 11, width=width, height=12, fill="#2b6cb0"))
    said = "VGG-16: the convolutions do the work and have the large volumes, the classifier has the parameters"
    return standalone(drawing(LEFT + 3 * (BAR + GAP), ROW * (len(rows) + 2), said, parts))


if __name__ == "__main__":
    Path(__file__).with_name("summary.svg").write_text(costs(), encoding="utf-8")
