"""Draws the pictures of the page on receptive fields.

    python docs/draw_receptive.py [WEIGHTS PHOTOS]

With SqueezeNet's public weights (a safetensors file) and a folder or archive of photos those of effective fields, too.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

import lenrek
from lenrek.data.load import load_samples
from lenrek.data.normalise import normalise
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


def effective(weights: str, photos: str) -> dict[str, str]:
    """What moves a feature in the middle of SqueezeNet, before any training and with its public ImageNet weights."""
    drawn = {}
    for when, source in (("before", None), ("after", weights)):
        torch.manual_seed(0)
        network = lenrek.create_model("squeezenet1_1", weights=source)
        images = lenrek.open_source(photos)
        chosen = np.linspace(0, len(images) - 1, 64).astype(int)
        (batch,) = load_samples(images, network.contract, indices=chosen).batches(chosen, len(chosen))
        found = lenrek.effective_receptive_field(network, normalise(batch.x, network.contract), "features.7")
        assert found.fit is not None
        assert found.box is not None
        title = f"{when} training: sees {len(found.box[0])} × {len(found.box[1])}; effective size "
        drawn[f"effective-{when}.svg"] = str(draw_effective(found, title + f"{found.fit.effective_size:.1f}"))
    return drawn


PICTURES = {"receptive-field.svg": vgg}

if __name__ == "__main__":
    for name, draw in PICTURES.items():
        (HERE / name).write_text(draw(), encoding="utf-8")
    if len(sys.argv) == 3:
        for name, text in effective(*sys.argv[1:]).items():
            (HERE / name).write_text(text, encoding="utf-8")
