"""Draws the pictures of the page on receptive fields, `python docs/draw_receptive.py`: a minute, with a training."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch

import lenrek
from lenrek.data.load import load_samples
from lenrek.data.normalise import normalise
from lenrek.data.split import split_source
from lenrek.explain.receptive_picture import draw_boxes, draw_effective

HERE = Path(__file__).parent


def vgg() -> str:
    """What the middle feature after each pooling layer of VGG-16 sees of an image of 224×224."""
    with torch.device("meta"):
        model = lenrek.create_model("vgg16", num_classes=10)
    found = lenrek.receptive_field(model, (3, 224, 224))
    boxes = []
    for block, place in enumerate((4, 9, 16, 23, 30), 1):
        layer = found[f"features.{place}"]
        boxes.append((f"pool{block}", layer.box([n // 2 for n in layer.shape[2:]], clipped=False)))
    return str(draw_boxes(boxes, (224, 224)))


def effective() -> dict[str, str]:
    """What moves a feature of LeNet-5's second convolution, before and after a training on digits."""
    source = lenrek.open_source("digits")
    torch.manual_seed(0)
    untrained = lenrek.create_model("lenet5", num_classes=10, in_channels=1)
    with tempfile.TemporaryDirectory() as folder:
        lenrek.train("digits", model="lenet5", size=28, epochs=12, out=Path(folder) / "run", precision="fp32",
                     progress=False)  # fmt: skip
        classifier = lenrek.load(Path(folder) / "run")
    held_out = np.sort(split_source(source, seed=0).test)
    (batch,) = load_samples(source, classifier.contract, indices=held_out).batches(held_out, len(held_out))
    x = normalise(batch.x, classifier.contract)[:200]
    drawn = {}
    for when, network in (("before", untrained), ("after", classifier.network)):
        found = lenrek.effective_receptive_field(network, x, "features.3", position=(5, 5))
        assert found.fit is not None
        sizes = f"sees {len(found.box[0])} × {len(found.box[1])}" if found.box else ""
        title = f"{when} training: {sizes}; effective size {found.fit.effective_size:.1f}"
        drawn[f"effective-{when}.svg"] = str(draw_effective(found, title))
    return drawn


PICTURES = {"receptive-field.svg": vgg}

if __name__ == "__main__":
    for name, draw in PICTURES.items():
        (HERE / name).write_text(draw(), encoding="utf-8")
    for name, text in effective().items():  # differs from machine to machine
        (HERE / name).write_text(text, encoding="utf-8")
