"""Feature maps against plain loops, and how they are drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lenrek.errors import DataError, ModelError, ShapeError
from lenrek.explain.features.maps import feature_maps
from lenrek.models.create import create_model


def test_maps_are_the_correlation_of_the_input_with_the_filters() -> None:
    conv = nn.Conv2d(2, 5, (3, 2), stride=(2, 1))
    net = nn.Sequential(conv, nn.ReLU(inplace=True))  # in place: what the layer computed must be kept
    x = torch.randn(2, 9, 7)
    found = feature_maps(net, x, "0")
    weight, bias = conv.weight.detach().double().numpy(), conv.bias.detach().double().numpy()
    expected = np.zeros((5, 4, 6))
    for o, i, j in np.ndindex(5, 4, 6):
        expected[o, i, j] = bias[o] + (weight[o] * x.double().numpy()[:, 2 * i : 2 * i + 3, j : j + 2]).sum()
    assert found.values == pytest.approx(expected, abs=1e-5)
    rms = np.sqrt((expected**2).mean((1, 2)))
    assert found.norms == pytest.approx(rms, rel=1e-5)
    assert found.order.tolist() == np.argsort(-rms).tolist()
    assert found.signed
    assert "red positive, blue negative" in found.sheet().note
    assert not feature_maps(net, x[None], "1").signed
    assert "Black is zero; one scale for all maps" in feature_maps(net, x, "1").sheet().note


@pytest.mark.parametrize(("size", "conv"), [((9,), nn.Conv1d), ((7, 6), nn.Conv2d), ((4, 5, 6), nn.Conv3d)])
def test_every_number_of_axes(size: tuple[int, ...], conv: type[nn.Module]) -> None:
    net = nn.Sequential(conv(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(4))
    net(torch.zeros(1, 2, *size))
    maps = feature_maps(net, torch.randn(1, 2, *size), "1")
    sheet = maps.sheet(most=2, scale="own")
    assert len(sheet.rows[0].tiles) == 2
    assert "own" in sheet.note
    assert ("lices" in sheet.note) == (len(size) == 3)
    numbers = feature_maps(net, torch.randn(1, 2, *size))
    assert numbers.values.shape == (4,)
    assert "One value per channel" in numbers.sheet().note


def test_what_is_refused() -> None:
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU())
    with pytest.raises(ModelError, match="no layer '2'"):
        feature_maps(net, torch.zeros(1, 2, 5, 5), "2")
    with pytest.raises(ShapeError, match="x holds 2 samples, expected one"):
        feature_maps(create_model("lenet5", 10, 1), torch.zeros(2, 1, 28, 28), "features.0")
    with pytest.raises(ShapeError, match="does not take an input of shape"):
        feature_maps(net, torch.zeros(1, 4, 5, 5), "0")
    with torch.no_grad():
        net[0].weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(DataError, match="not finite: are the weights"):
        feature_maps(net, torch.zeros(1, 2, 5, 5), "0")
