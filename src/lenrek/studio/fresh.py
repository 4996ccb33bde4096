"""A network that has not been trained, for the data that it would be trained on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from lenrek.data.load import channel_statistics, load_samples
from lenrek.data.normalise import FULL_SCALE
from lenrek.data.source import NDIM, Source
from lenrek.models.create import create_model
from lenrek.models.registry import find_architecture
from lenrek.training.config import TrainConfig
from lenrek.training.plan import plan_contract

LOOKED_AT = 64  # samples for mean and standard deviation


def fresh_network(name: str, source: Source | None) -> nn.Module:
    """The architecture `name` with random weights, the same every time, and the contract that a training would give it.

    Args:
        source: the data; None for colour images of the architecture's own size.
    Raises:
        ModelError: an architecture for other axes than the data's.
        DataError: data that cannot be read.
    """
    torch.manual_seed(0)
    if source is None:
        return create_model(name, num_classes=10).eval()
    contract, _ = plan_contract(source, TrainConfig(source.name, model=name), find_architecture(name))
    network = create_model(name, len(source.classes), contract.channels, NDIM[source.kind]).eval()
    some = np.unique(np.linspace(0, len(source) - 1, min(LOOKED_AT, len(source))).astype(np.int64))
    samples = load_samples(source, contract, indices=some, mode="stream")
    mean, std = channel_statistics(samples, some)
    stored = next(samples.batches(samples.index[:1], 1)).x.dtype
    network.contract = replace(contract, mean=mean, std=std, full_scale=FULL_SCALE[stored])  # type: ignore[assignment]
    return network
