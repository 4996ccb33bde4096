"""Draws the pictures of the page on drawing, `python docs/draw_arithmetic.py`: what `lenrek.draw` makes, as it is."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch

import lenrek
from lenrek.drawing.arithmetic.draw import draw_convolution, draw_pooling, draw_transposed

HERE = Path(__file__).parent


def convolution() -> str:
    options = {"stride": (2, 1), "padding": "same", "dilation": (1, 2), "boundary": "reflect"}
    return draw_convolution((7, 5), (3, 2), **options).to_svg()


def moving() -> str:
    return draw_convolution((5, 5), (3, 3), padding=1, stride=2).to_animated_svg(seconds_per_step=1.2)


def signal() -> str:
    return draw_convolution((12,), (3,), dilation=2, padding="same", operation="convolve").to_svg()


def transposed() -> str:
    return draw_transposed((3, 3), (3, 3), stride=2, padding=1, output_padding=1).to_svg()


def pooling() -> str:
    return draw_pooling((5, 7), (2, 3), stride=(2, 2)).to_svg()


def groups() -> str:
    return draw_convolution((4, 4, 5), (4, 2, 2, 3), groups=2).to_svg(step=14)


def volume() -> str:
    return draw_convolution((3, 4, 5), (2, 3, 2), padding=((1, 0), 0, 0)).to_svg()


def colours() -> str:
    """A bright disc and the edges to the left and right of it."""
    rows, columns = torch.meshgrid(torch.arange(15.0), torch.arange(17.0), indexing="ij")
    disc = (5.2 - ((rows - 7) ** 2 + (columns - 8) ** 2).sqrt()).clamp(0, 1)
    edges = [[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]
    return draw_convolution(disc, edges, padding="same", boundary="replicate", show="colours").to_svg(step=7 * 17 + 4)


def network(name: str, shape: tuple[int, ...], title: str) -> str:
    with torch.device("meta"):
        model = lenrek.create_model(name, num_classes=10, in_channels=shape[0], ndim=len(shape) - 1)
    return lenrek.draw(model, shape, title=title).to_svg()


PICTURES = {
    "draw-convolution.svg": convolution,
    "draw-moving.svg": moving,
    "draw-signal.svg": signal,
    "draw-transposed.svg": transposed,
    "draw-pooling.svg": pooling,
    "draw-groups.svg": groups,
    "draw-volume.svg": volume,
    "draw-colours.svg": colours,
    "draw-lenet5.svg": partial(network, "lenet5", (1, 28, 28), "LeNet-5"),
    "draw-vgg16.svg": partial(network, "vgg16", (3, 224, 224), "VGG-16"),
    "draw-m5.svg": partial(network, "m5", (1, 8000), "M5, on a second of sound"),
    "draw-resnet18.svg": partial(network, "resnet18", (1, 32, 32, 32), "ResNet-18 in 3-D"),
}

if __name__ == "__main__":
    for name, draw in PICTURES.items():
        (HERE / name).write_text(draw(), encoding="utf-8")
