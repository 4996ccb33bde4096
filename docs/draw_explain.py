"""Draws the picture of the page on class evidence, `python docs/draw_explain.py`: trains on digits, half a minute."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

import lenrek
from lenrek.data.normalise import normalise
from lenrek.explain import draw_evidence, grad_cam, integrated_gradients, occlusion

HERE = Path(__file__).parent
DIGIT = 3  # the fourth of the set, which is a 3


def digit() -> str:
    """Heat-maps of LeNet-5 for one handwritten digit."""
    with tempfile.TemporaryDirectory() as folder:
        run = lenrek.train("digits", model="lenet5", size=28, epochs=8, out=Path(folder) / "run", progress=False)
        classifier = lenrek.load(run.path)
    source = lenrek.open_source("digits")
    stored = source.reader.read(DIGIT, classifier.contract)
    x = normalise(torch.from_numpy(stored.copy())[None], classifier.contract)
    found = (
        grad_cam(classifier, x, "features.3"),
        integrated_gradients(classifier, x),
        occlusion(classifier, x, window=5, stride=2),
    )
    return draw_evidence(stored, *found).to_svg()


if __name__ == "__main__":
    (HERE / "explain-digit.svg").write_text(digit(), encoding="utf-8")
