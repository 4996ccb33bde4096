"""Networks by name: built, described, filled from a file, and told what their input means."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lenrek.errors import CheckpointError, ModelError
from lenrek.models import (  # noqa: F401  (each registers its architectures)
    alexnet,
    aspp,
    dilated_context,
    lenet5,
    lenet5_1998,
    m5,
    mobilenet_v2,
    resnet,
    resnet9,
    resnet_cifar,
    squeezenet,
    tcn,
    vgg,
)
from lenrek.models.contract import Fit, InputContract
from lenrek.models.registry import ARCHITECTURES, Architecture, find_architecture
from lenrek.models.weights import fill, read_weights


def create_model(
    name: str,
    num_classes: int | None = None,
    in_channels: int | None = None,
    ndim: int | None = None,
    weights: str | Path | None = None,
) -> nn.Module:
    """A network of the registered architecture `name`, with fresh weights or those of a file.

    Its attribute `architecture` is `name`, and `contract` an `InputContract`: from a model that lenrek saved, the one
    it was trained with; for a public checkpoint, the input its architecture's public weights expect and the classes
    that the file names; otherwise mean 0, std 1, the architecture's own size, and "0", "1", … for classes.

    Args:
        num_classes: outputs; by default those of the weights, or 1000.
        in_channels: by default those of the weights, or 3.
        ndim: spatial dimensions; by default those of the weights' contract, or 2 (1 where there is no 2-D form).
        weights: a safetensors file, or a `.pt` or `.pth` file that holds nothing but a state dict.
    Raises:
        ModelError: unknown name, ndim that the architecture does not have, a number below 1.
        CheckpointError: `weights` is missing, damaged or made for another network.
    Example:
        >>> network = create_model("lenet5", num_classes=10, in_channels=1)
        >>> network(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])
        >>> network.contract.size
        (28, 28)
    """
    architecture = find_architecture(name)
    for argument, value in (("num_classes", num_classes), ("in_channels", in_channels), ("ndim", ndim)):
        if value is not None and value < 1:
            raise ModelError(f"create_model: {argument} must be at least 1, but is {value}.")
    tensors, metadata = ({}, {}) if weights is None else read_weights(weights)
    stored = _stored_contract(metadata)
    if ndim is None:
        ndim = len(stored.size) if stored else 2 if 2 in architecture.ndims else architecture.ndims[0]
    if ndim not in architecture.ndims:
        offered = " or ".join(f"{n}-D" for n in architecture.ndims)
        raise ModelError(f"create_model: {name} is for {offered}, but ndim={ndim} was asked for.")
    if in_channels is None:
        in_channels = stored.channels if stored else _count_inputs(architecture, tensors, ndim) or 3
    if num_classes is None:
        num_classes = _count_outputs(architecture, tensors, in_channels, ndim) or 1000
    network = architecture.build(num_classes, in_channels, ndim)
    if weights is not None:
        fill(network, tensors, str(weights), metadata.get("architecture"))
    contract = stored or _fresh_contract(
        architecture,
        in_channels,
        ndim,
        _stored_classes(metadata, num_classes, weights),
        published=weights is not None,
    )
    network.architecture, network.contract = name, contract  # type: ignore[assignment]
    return network


def list_models() -> list[str]:
    """The names `create_model` knows, sorted.

    >>> "lenet5" in list_models()
    True
    """
    return sorted(ARCHITECTURES)


def describe_models() -> list[dict[str, Any]]:
    """Per architecture a JSON-ready row: name, ndims, min_size, default_size (samples per axis), parameters, source.

    The trainable parameters are counted at 10 classes and 3 channels, in 2-D (in 1-D where there is no 2-D form).
    """
    rows = []
    for name in list_models():
        architecture = ARCHITECTURES[name]
        with torch.device("meta"):
            network = architecture.build(10, 3, 2 if 2 in architecture.ndims else architecture.ndims[0])
        rows.append(
            {
                "name": name,
                "ndims": list(architecture.ndims),
                "min_size": architecture.min_size,
                "default_size": architecture.default_size,
                "parameters": sum(p.numel() for p in network.parameters()),
                "source": architecture.source,
            }
        )
    return rows


def _count_inputs(architecture: Architecture, tensors: dict[str, Tensor], ndim: int) -> int | None:
    """How many channels `tensors` read: the length of the one axis that grows with in_channels."""
    return _length_that_grows(tensors, lambda n: architecture.build(2, n, ndim))


def _count_outputs(architecture: Architecture, tensors: dict[str, Tensor], in_channels: int, ndim: int) -> int | None:
    """How many classes `tensors` are for: the length of the one axis that grows with num_classes."""
    return _length_that_grows(tensors, lambda n: architecture.build(n, in_channels, ndim))


def _length_that_grows(tensors: dict[str, Tensor], build: Callable[[int], nn.Module]) -> int | None:
    if not tensors:
        return None
    with torch.device("meta"):
        two, three = (build(n).state_dict() for n in (2, 3))
    for key in tensors.keys() & two.keys():
        for length, small, large in zip(tensors[key].shape, two[key].shape, three[key].shape, strict=False):
            if large > small:
                return length
    return None


def _stored_contract(metadata: dict[str, str]) -> InputContract | None:
    """The contract in a file that lenrek saved."""
    return InputContract.from_json(json.loads(metadata["lenrek"])["contract"]) if "lenrek" in metadata else None


def _stored_classes(metadata: dict[str, str], num_classes: int, weights: str | Path | None) -> tuple[str, ...]:
    if "classes" not in metadata:
        return tuple(map(str, range(num_classes)))
    try:
        classes = tuple(json.loads(metadata["classes"]))
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"{weights}: its metadata 'classes' is not a JSON list of names: {error}.") from error
    if len(classes) != num_classes:
        raise CheckpointError(f"{weights} names {len(classes)} classes, but its weights have {num_classes} outputs.")
    return classes


def _fresh_contract(
    architecture: Architecture, channels: int, ndim: int, classes: tuple[str, ...], *, published: bool
) -> InputContract:
    size = (architecture.default_size,) * ndim
    known = architecture.published
    if not published or known is None or ndim != 2 or channels != len(known.mean):
        return InputContract(channels, size, (0.0,) * channels, (1.0,) * channels, classes)
    fit: Fit = "stretch" if known.crop_fraction == 1 else "crop"
    return InputContract(channels, size, known.mean, known.std, classes, fit, known.crop_fraction)
