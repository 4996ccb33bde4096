"""The list of architectures: each registers itself where it is written, and is built by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lenrek.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

Build = Callable[[int, int, int], "nn.Module"]


@dataclass(frozen=True)
class PublishedInput:
    """What images an architecture's published weights were trained on, beside `default_size`.

    Attributes:
        mean, std: per channel, of values scaled to 0–1.
        crop_fraction: the side of the centre that is cut out, as a fraction of the resized short side; 1 for images
            that already have the size.
    """

    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    crop_fraction: float = 1.0


# Short side to 256 px, centre of 224 px: how ImageNet's weights are evaluated since Krizhevsky et al. 2012, §2.
IMAGENET = PublishedInput(crop_fraction=224 / 256)


@dataclass(frozen=True)
class Architecture:
    """One registered network.

    Attributes:
        name: what `create_model` is asked for.
        build: (num_classes, in_channels, ndim) → network with fresh weights.
        ndims: the numbers of spatial dimensions it can be built for.
        min_size: samples per axis below which a layer's window no longer fits.
        default_size: samples per axis it was designed for.
        source: paper and section.
        learning_rate: peak rate of AdamW under a one-cycle schedule at which it trains well from scratch.
        published: the input that the public weights under these key names expect, where there are some.
    """

    name: str
    build: Build
    ndims: tuple[int, ...]
    min_size: int
    default_size: int
    source: str
    learning_rate: float = 0.005
    published: PublishedInput | None = None


ARCHITECTURES: dict[str, Architecture] = {}


def register(
    name: str,
    *,
    ndims: tuple[int, ...],
    min_size: int,
    default_size: int,
    source: str,
    learning_rate: float = 0.005,
    published: PublishedInput | None = None,
) -> Callable[[Build], Build]:
    """Put a builder into the registry; refuses a name that is taken."""

    def add(build: Build) -> Build:
        if name in ARCHITECTURES:
            raise ModelError(f"register: the name {name!r} is taken by {ARCHITECTURES[name].source}.")
        ARCHITECTURES[name] = Architecture(name, build, ndims, min_size, default_size, source, learning_rate, published)
        return build

    return add


def architecture_named(name: str, start: str | None) -> Architecture:
    """The registered architecture; of a network to `start` with that is none, what is not known stays open."""
    if start is None or name in ARCHITECTURES:
        return find_architecture(name)
    return Architecture(name, _not_built, (1, 2, 3), 1, 224, start)


def _not_built(num_classes: int, in_channels: int, ndim: int) -> nn.Module:
    raise ModelError("this network is the user's own: it cannot be built by name.")


def find_architecture(name: str) -> Architecture:
    """The registered architecture, or a `ModelError` that names the nearest right ones."""
    if name not in ARCHITECTURES:
        near = difflib.get_close_matches(name, ARCHITECTURES, n=3, cutoff=0.5)
        hint = f"Did you mean {', '.join(near)}?" if near else "lenrek models lists them all."
        raise ModelError(f"create_model: there is no architecture {name!r}.\n  Hint: {hint}")
    return ARCHITECTURES[name]
