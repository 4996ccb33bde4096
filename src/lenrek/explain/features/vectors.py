"""A vector for each sample of a data set: what a layer computes of it, averaged over positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lenrek.errors import DataError, ModelError
from lenrek.explain.features.stream import SampleStream
from lenrek.explain.features.weights import weighted_layers
from lenrek.explain.layer_outputs import LayerOutputs
from lenrek.explain.network_of import contract_of, plain_network

WHO = "sample_vectors"


@dataclass(frozen=True, eq=False)
class SampleVectors:
    """What a layer makes of samples.

    Attributes:
        layer: its name, "before …" for what goes into it.
        vectors: (samples, features), float32.
        index: which samples of the data these are; `names` and `labels` of each.
        stream: to read them again.
    """

    layer: str
    vectors: np.ndarray
    index: np.ndarray
    names: tuple[str, ...]
    labels: tuple[str, ...]
    stream: SampleStream


def sample_vectors(model: Any, samples: Any, layer: str | None = None, *, limit: int | None = None) -> SampleVectors:
    """One vector per sample.

    Args:
        model: a network or a `lenrek.Classifier`, run in evaluation.
        samples: a source, what `lenrek.open_source` takes, or a tensor (samples, channels, *size) as the network takes
            it.
        layer: whose output is averaged over its positions, with "#2" behind its path that of its second run; None is
            what goes into the last convolution or linear layer.
        limit: at most so many samples, evenly spaced.
    Raises:
        ModelError: no such layer, or none with weights.
        DataError: features that are not finite.
    Example:
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Conv1d(1, 2, 1), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(2, 3))
        >>> found = sample_vectors(net, torch.zeros(5, 1, 4))
        >>> found.layer, found.vectors.shape
        ('before 3', (5, 2))
    """
    network = plain_network(model, WHO)
    before = layer is None
    if layer is None:
        weighted = weighted_layers(network)
        if not weighted:
            raise ModelError(f"{WHO}: the network has no convolution and no linear layer.\n  Hint: name a layer.")
        layer = weighted[-1]
    stream = SampleStream(contract_of(model), samples, limit=limit, who=WHO)
    found, index = [], []
    with LayerOutputs(network, [layer], inputs=before, who=WHO) as run:
        for numbers, x in stream:
            _, (features,) = run(x)
            found.append(features.float().reshape(*features.shape[:2], -1).mean(2))
            index.append(numbers)
    vectors = torch.cat(found).numpy()
    if not np.isfinite(vectors).all():
        raise DataError(f"{WHO}: {layer!r} computes numbers that are not finite: are the weights?")
    at = np.concatenate(index)
    return SampleVectors(
        f"before {layer}" if before else layer or "the output", vectors, at,
        tuple(stream.name(int(i)) for i in at), tuple(stream.label(int(i)) for i in at), stream,
    )  # fmt: skip
