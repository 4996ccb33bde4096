"""Draws the curves of the pages on analysis, `python docs/draw_analysis.py`: a minute, with a training on digits."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn

import lenrek
from lenrek.drawing.plot import Curve, line_plot, standalone
from lenrek.explain.transforms import Shift

HERE = Path(__file__).parent


def shifts() -> str:
    """The error of convolutions with strides 1, 2 and 4, on a circle, over the shift."""
    torch.manual_seed(0)
    x = torch.randn(32, 1, 32)
    curves = []
    for stride in (1, 2, 4):
        layer = nn.Conv1d(1, 16, 5, stride, padding=2, padding_mode="circular")
        found = lenrek.equivariance(layer, x, Shift(boundary="circular"), [n / 2 for n in range(17)])
        curves.append(Curve(f"stride {stride}", [(point.size, point.error) for point in found.points]))
    title = "Relative error of equivariance"
    return standalone(line_plot(title, "samples", curves, "{:.1f}".format, dots=True))


def spectra() -> str:
    """All singular values of two convolutions on a circle of 16×16, in descending order."""
    torch.manual_seed(0)
    random, orthogonal = (nn.Conv2d(16, 16, 3, padding=1, padding_mode="circular") for _ in range(2))
    with torch.no_grad():
        nn.init.zeros_(orthogonal.weight)
        nn.init.orthogonal_(orthogonal.weight[:, :, 1, 1])
    curves = []
    for name, layer in (("PyTorch's start", random), ("orthogonal", orthogonal)):
        values = lenrek.singular_values(layer, (16, 16, 16)).values
        places = np.linspace(0, len(values) - 1, 100).astype(int)
        curves.append(Curve(name, [(int(i), values[i].item()) for i in places]))
    return standalone(line_plot("Singular values", "number", curves, "{:.2f}".format))


def kernel() -> str:
    """The convolution found in a fully connected layer that was fitted to noisy answers of one."""
    from lenrek.explain.convolution_picture import draw_kernel

    torch.manual_seed(0)
    layer = nn.Conv2d(1, 2, (5, 3), padding=(2, 1), bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(2, 1, 5, 3))
        x = torch.randn(4000, 1, 9, 11, dtype=torch.float64)
        y = layer.double()(x)
        fitted = torch.linalg.lstsq(x.flatten(1), (y + 0.1 * torch.randn_like(y)).flatten(1)).solution.T
    return standalone(draw_kernel(lenrek.find_convolution(fitted, (1, 9, 11), tolerance=0.05)))


def distances() -> str:
    """ROC curves of "same digit" by distance of pixels and of the features that a short training finds."""
    source = lenrek.open_source("digits")
    with tempfile.TemporaryDirectory() as folder:
        lenrek.train(
            "digits", model="lenet5", size=16, epochs=10, out=Path(folder) / "run", precision="fp32", progress=False
        )
        classifier = lenrek.load(Path(folder) / "run")
    from lenrek.data.load import load_samples
    from lenrek.data.normalise import normalise
    from lenrek.data.split import split_source

    held_out = np.sort(split_source(source, seed=0).test)
    samples = load_samples(source, classifier.contract, indices=held_out)
    (batch,) = samples.batches(held_out, len(held_out))
    found = lenrek.compare_distances(classifier.network, normalise(batch.x, classifier.contract), batch.labels)
    return standalone(found.chart())


PICTURES = {"shifts.svg": shifts, "spectra.svg": spectra, "kernel.svg": kernel}
TRAINED = {"distances.svg": distances}  # differs from machine to machine

if __name__ == "__main__":
    for name, draw in {**PICTURES, **TRAINED}.items():
        (HERE / name).write_text(draw(), encoding="utf-8")
