"""Feature maps against plain loops, and how they are drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lenrek.errors import DataError, ModelError, ShapeError
from lenrek.explain.evidence.cam import layer_cam
from lenrek.explain.features.field_on_sample import field_on_sample
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


def test_each_run_of_a_layer_that_runs_twice() -> None:
    """A layer's bare name is its first run, for its maps as for its heat-map and its field."""
    conv = nn.Conv1d(1, 1, 3, bias=False)
    conv.weight.data = torch.tensor([[[0.5, 2.0, 1.0]]])
    net = nn.Sequential(conv, nn.ReLU(), conv, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(1, 1, bias=False))
    net[5].weight.data.fill_(1.0)
    x = torch.rand(1, 1, 12)
    with torch.no_grad():
        first = conv(x)
        second = conv(first)
    for name, values, seen in (("0", first, 3), ("0#2", second, 5)):
        assert torch.equal(torch.from_numpy(feature_maps(net, x, name).values), values[0])
        assert layer_cam(net, x, name).cells.shape[-1] == values.shape[-1]
        at = int(values.argmax())
        field = field_on_sample(net, x, name, 0)
        assert (field.position, field.value) == ((at,), values.max().item())
        assert (len(field.box[0]), field.effective.box) == (seen, field.box)
        assert np.flatnonzero(field.effective.magnitude).tolist() == list(range(at, at + seen))
    with pytest.raises(ModelError, match="layer 0#3 did not run"):
        feature_maps(net, x, "0#3")


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
