"""Every picture for LeNet-5 on digits, SqueezeNet with public weights, a network of sound and one of volumes."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lenrek.data.open import open_source
from lenrek.explain import (
    channel,
    feature_maps,
    field_on_sample,
    filter_health,
    filters,
    latent_map,
    sample_vectors,
    strongest_patches,
    synthesize,
)
from lenrek.explain.features.map_picture import draw_map
from lenrek.models.create import create_model


def every_picture(network: Any, data: Any, layer: str, limit: int) -> None:
    contract = network.contract
    vectors = sample_vectors(network, data, limit=limit)
    x = next(iter(vectors.stream))[1][0]
    patches = strongest_patches(network, data, layer, [0, 1], k=2, limit=limit)
    made = synthesize(network, channel(layer, 1), steps=3, data=data, limit=limit)
    sheets = [
        filters(network).sheet(),
        feature_maps(network, x, layer).sheet(),
        patches.sheet(),
        field_on_sample(network, x, layer, 0).sheet(),
        made.sheet(),
    ]
    for sheet in sheets:
        drawn = ElementTree.fromstring(sheet.to_svg())
        assert drawn.tag.endswith("svg")
        assert sum(len(row.tiles) for row in sheet.rows) > 0
    for found in patches.found.values():
        assert all(patch.sample.shape == (contract.channels, *contract.size) for patch in found)
    strongest = patches.found[0][0]
    again = next(x[list(index).index(strongest.index)] for index, x in vectors.stream if strongest.index in index)
    assert feature_maps(network, again, layer).values[0].max() == pytest.approx(strongest.value, rel=1e-4, abs=1e-6)
    assert made.strongest is not None
    assert filter_health(network, data, limit=limit).samples == limit
    plane = latent_map(vectors.vectors)
    assert draw_map(plane, vectors.names, vectors.labels).count("<circle") == limit + len({*vectors.labels} - {""})


def test_lenet5_on_digits() -> None:
    torch.manual_seed(0)
    every_picture(create_model("lenet5", 10, 1), "digits", "features.4", 12)


def test_squeezenet_with_public_weights(real_weights: Path, rng: np.random.Generator) -> None:
    file = real_weights / "squeezenet1_1-imagenet.safetensors"
    if not file.exists():
        pytest.skip(f"no {file.name}")
    photos = rng.integers(0, 256, (6, 3, 48, 64)).astype(np.uint8)
    every_picture(create_model("squeezenet1_1", weights=file), (photos, [0, 1] * 3), "features.3", 6)


def test_m5_on_sound(rng: np.random.Generator) -> None:
    torch.manual_seed(0)
    sound = rng.normal(size=(6, 1, 8000)).astype(np.float32) / 5
    every_picture(create_model("m5", 10, 1), sound, "features.2.2", 6)


def test_lenet5_on_volumes(real_data: Path) -> None:
    source = open_source(real_data / "modelnet-voxels.npz")
    torch.manual_seed(0)
    every_picture(create_model("lenet5", 2, 1, ndim=3), source, "features.4", 6)
