"""Draws the pictures of the pages on evidence and features, `python docs/draw_explain.py`: trains for some seconds."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

import lenrek
from lenrek.data.normalise import normalise
from lenrek.drawing.plot import standalone
from lenrek.explain import (
    draw_evidence,
    grad_cam,
    integrated_gradients,
    latent_map,
    occlusion,
    sample_vectors,
    strongest_patches,
)
from lenrek.explain.features.map_picture import draw_map

HERE = Path(__file__).parent
DIGIT = 3  # the fourth of the set, which is a 3


def trained() -> lenrek.Classifier:
    """LeNet-5, trained on handwritten digits."""
    with tempfile.TemporaryDirectory() as folder:
        run = lenrek.train("digits", model="lenet5", size=28, epochs=8, out=Path(folder) / "run", progress=False)
        return lenrek.load(run.path)


def evidence(classifier: lenrek.Classifier) -> str:
    """Heat-maps for one digit."""
    source = lenrek.open_source("digits")
    stored = source.reader.read(DIGIT, classifier.contract)
    x = normalise(torch.from_numpy(stored.copy())[None], classifier.contract)
    found = (
        grad_cam(classifier, x, "features.3"),
        integrated_gradients(classifier, x),
        occlusion(classifier, x, window=5, stride=2),
    )
    return draw_evidence(stored, *found).to_svg()


def patches(classifier: lenrek.Classifier) -> str:
    """What excites the first channels of a layer."""
    return strongest_patches(classifier, "digits", "features.4", range(6)).sheet().to_svg()


def plane(classifier: lenrek.Classifier) -> str:
    """Digits in the features before the last layer."""
    digits = sample_vectors(classifier, "digits", limit=600)
    return standalone(draw_map(latent_map(digits.vectors), digits.names, digits.labels))


if __name__ == "__main__":
    network = trained()
    for name, draw in (("explain-digit", evidence), ("features-patches", patches), ("features-map", plane)):
        (HERE / f"{name}.svg").write_text(draw(network), encoding="utf-8")
