"""Filters as they are stored, sorted and drawn."""

from __future__ import annotations

import base64
import io
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import lenrek
from lenrek.errors import ModelError, OptionError
from lenrek.explain.features.filters import filters


def images(svg: str) -> list[np.ndarray]:
    """The pictures inside, as arrays."""
    found = re.findall(r"data:image/png;base64,([^\"]+)", svg)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(one)))) for one in found]


def network(conv: nn.Module) -> nn.Module:
    return nn.Sequential(conv, nn.ReLU())


def test_colour_filters_on_one_scale_strongest_first() -> None:
    conv = nn.Conv2d(3, 3, (2, 5))
    with torch.no_grad():
        conv.weight.copy_(torch.randn(conv.weight.shape, generator=torch.Generator().manual_seed(3)))
        conv.weight[1] *= 10
        conv.weight[2] *= 0.01
    found = filters(network(conv))
    assert (found.layer, found.colour, found.order.tolist()) == ("0", True, [1, 0, 2])
    weight = conv.weight.detach().double().numpy()
    expected = [float(np.sqrt((weight[i] ** 2).sum())) for i in range(3)]
    assert found.norms == pytest.approx(expected, rel=1e-6)
    svg = found.sheet().to_svg()
    ElementTree.fromstring(svg)
    drawn = images(svg)
    limit = np.abs(weight).max()
    for picture, index in zip(drawn, (1, 0, 2), strict=True):
        for row, column, channel in np.ndindex(2, 5, 3):
            value = weight[index, channel, row, column]
            assert abs(int(picture[row, column, channel]) - (127.5 + 127.5 * value / limit)) <= 0.51
    assert "one scale for all filters" in found.sheet().note
    own = found.sheet(scale="own")
    assert "a scale of its own" in own.note
    assert np.ptp(images(own.to_svg())[2].astype(int)) > 120  # the weak one is no longer grey
    assert np.ptp(drawn[2].astype(int)) <= 2


def test_a_transposed_convolution_has_the_filters_it_would_show_as_a_plain_one() -> None:
    conv = nn.ConvTranspose1d(4, 6, 5, groups=2)
    weight = filters(conv, "").weight
    x = torch.zeros(1, 4, 1)
    for channel in range(4):  # an impulse in one channel writes the filters that read it
        x.zero_()[0, channel, 0] = 1
        with torch.no_grad():
            written = (conv(x) - conv.bias[:, None])[0].numpy()
        group, within = divmod(channel, 2)
        expected = np.zeros((6, 5))
        expected[3 * group : 3 * group + 3] = weight[3 * group : 3 * group + 3, within]
        assert written == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("conv", "pictures", "curves"),
    [
        (nn.Conv1d(1, 4, 7), 0, 4),
        (nn.Conv1d(5, 2, 7), 0, 10),
        (nn.Conv2d(4, 3, 3), 12, 0),
        (nn.Conv2d(9, 5, 1), 1, 0),  # a matrix
        (nn.Conv3d(1, 2, (3, 4, 5)), 2, 0),
        (nn.Conv2d(6, 6, 3, groups=6), 6, 0),
        (nn.Conv2d(20, 2, 3), 16, 0),  # eight channels of each
    ],
)
def test_every_number_of_axes_is_drawn(conv: nn.Module, pictures: int, curves: int) -> None:
    sheet = filters(network(conv), "0").sheet()
    svg = sheet.to_svg()
    assert len(images(svg)) == pictures
    assert svg.count("<path") == curves
    html = str(sheet.to_html())
    assert html.count("<svg") == max(pictures, curves)


def test_slices_of_a_volume_stand_side_by_side() -> None:
    conv = nn.Conv3d(1, 1, (2, 3, 4))
    with torch.no_grad():
        conv.weight.zero_()[0, 0, 1, 2, 3] = -2.0
    (picture,) = images(filters(network(conv), "0").sheet().to_svg())
    assert picture.shape == (3, 4 + 1 + 4, 3)  # a gap of one
    assert picture[2, 5 + 3].tolist() == [43, 108, 176]  # the strongest blue
    assert picture[0, 0].tolist() == [255, 255, 255]


def test_only_the_first_layer_is_in_colour() -> None:
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Conv2d(3, 4, 3))
    assert not filters(net, "1").colour
    assert filters(net, "1", colour=True).colour
    assert not filters(nn.Sequential(nn.Conv2d(3, 4, 3)), "0", colour=False).colour


def test_a_classifier_and_what_is_refused() -> None:
    net = lenrek.create_model("lenet5", 10, 1)
    assert filters(lenrek.Classifier(net, net.contract, "lenet5"), "features.3").weight.shape == (16, 6, 5, 5)
    with pytest.raises(ModelError, match=r"filters: layer 'features.1' is a ReLU, which has no filters.\n  Hint: conv"):
        filters(net, "features.1")
    with pytest.raises(ModelError, match="has no convolution"):
        filters(nn.Sequential(nn.Linear(2, 2)), "0")
    with pytest.raises(ModelError, match=r"has no layer 'feature\.0'"):
        filters(net, "feature.0")
    with pytest.raises(ModelError, match="has no size yet"):
        filters(nn.Sequential(nn.LazyConv2d(3, 3)), "0")
    with pytest.raises(OptionError, match="reads 6 channels on 2 axes, expected 3 on 2"):
        filters(net, "features.3", colour=True)
    with pytest.raises(OptionError, match="scale is 'each', expected 'common' or 'own'"):
        filters(net).sheet(scale="each")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="most is 0"):
        filters(net).sheet(most=0)
    with pytest.raises(ModelError, match=r"model is a str, expected a torch\.nn\.Module or a lenrek.Classifier"):
        filters("lenet5")
