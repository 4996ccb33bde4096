"""The network that a command is about: an architecture by its name, or what was trained, by its file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lenrek.errors import OptionError

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Subject:
    """`make` returns the network (another process can call it, too), `shape` is (channels, *size) of a sample.

    Attributes:
        trained: whether its weights come from a file.
    """

    name: str
    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    trained: bool


def find_subject(name: str, size: str | None, channels: int | None, who: str, classes: int = 10) -> Subject:
    """What the user means by `name`: an architecture, or where there is none of this name a run's folder or model file.

    Args:
        size: as the user wrote it, `96` or `64x96`; None is the architecture's own.
        channels: of the input; None is 3.
        who: the command, for error messages.
        classes: outputs of an architecture that has not been trained.
    Raises:
        ModelError: no such architecture, or not with these axes.
        OptionError: a size that is none or too small, or one given for a network that knows its own.
        CheckpointError: a file that holds no network.
    """
    import torch

    from lenrek.models.create import create_model
    from lenrek.models.registry import ARCHITECTURES, find_architecture

    if name not in ARCHITECTURES and (Path(name).exists() or Path(name).name != name or Path(name).suffix):
        return _trained(name, size, channels, who)
    architecture = find_architecture(name)
    axes = parse_size(size, who)
    usual = 2 if 2 in architecture.ndims else architecture.ndims[0]
    axes = axes * usual if axes and len(axes) == 1 else axes or (architecture.default_size,) * usual
    if min(axes) < architecture.min_size:
        raise OptionError(f"{who}: --size is {size}, but {name} needs at least {architecture.min_size} on every axis.")
    channels = channels or 3
    make = partial(create_model, name, num_classes=classes, in_channels=channels, ndim=len(axes))
    with torch.device("meta"):
        make()  # an error in what was asked for comes now, not later or from another process
    return Subject(name, make, (channels, *axes), trained=False)


def _trained(path: str, size: str | None, channels: int | None, who: str) -> Subject:
    contract: Any = load_network(path).contract
    for option, given in (("--size", size), ("--channels", channels)):
        if given is not None:
            raise OptionError(
                f"{who}: {option} {given} has no effect on {path}, which knows its own input.\n"
                "  Hint: leave it out, or name an architecture."
            )
    return Subject(path, partial(load_network, path), (contract.channels, *contract.size), trained=True)


def load_network(path: str) -> nn.Module:
    """The trained network in a run's folder or model file: a name that another process can call."""
    from lenrek.models.model_file import load_model

    return load_model(path)[0]


def parse_size(text: str | None, who: str) -> tuple[int, ...] | None:
    """`96` or `64x96` as a tuple.

    >>> parse_size("64x96", "train")
    (64, 96)
    """
    return parse_axes(text, "--size", who, "x")


def parse_axes(text: str | None, option: str, who: str, joint: str) -> tuple[int, ...] | None:
    """A whole number for each axis, as the user wrote them behind `option`, joined by `joint`.

    >>> parse_axes("3,4", "--at", "receptive-field", ",")
    (3, 4)
    """
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.lower().split(joint))
    except ValueError:
        raise OptionError(
            f"{who}: {option} is {text!r}, expected a whole number for each axis, joined by {joint!r}: 64{joint}96."
        ) from None
