"""`lenrek.draw`: layers with their own weights, networks as rows of volumes."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import torch
from torch import nn

import lenrek
from lenrek.errors import OptionError
from lenrek.explain.network_picture import NOTE, draw_network
from lenrek.explain.network_volumes import FEW

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv1d(2, 3, 4, stride=2, padding=1, padding_mode="reflect"), (2, 9)),
        (nn.Conv2d(4, 2, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2), (4, 6, 7)),
        (nn.Conv2d(1, 1, (2, 4), padding="same", bias=False), (1, 4, 5)),
        (nn.Conv3d(1, 2, (1, 2, 3), padding=(0, 1, 0), padding_mode="circular"), (1, 3, 4, 5)),
        (nn.ConvTranspose2d(2, 4, (3, 2), stride=(2, 3), padding=(1, 0), output_padding=(1, 2), groups=2), (2, 3, 2)),
        (nn.MaxPool2d((3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2)), (2, 7, 6)),
        (nn.AvgPool2d((3, 2), padding=(1, 0), ceil_mode=True), (1, 8, 5)),
        (nn.AvgPool1d(3, stride=2, padding=1, count_include_pad=False), (2, 8)),
        (lenrek.nn.Conv2d(1, 2, (3, 2), padding=("causal", (0, 1)), padding_mode="symmetric"), (1, 5, 4)),
        (lenrek.nn.ConvTranspose1d(1, 1, 3, padding=1, padding_mode="circular"), (1, 6)),
        (lenrek.nn.MaxPool2d((2, 3), padding_mode="zeros", padding=1), (1, 4, 5)),
        (lenrek.nn.AvgPool2d((2, 3), dilation=(2, 1), padding=((0, 1), 1), padding_mode="replicate"), (1, 4, 5)),
        (lenrek.nn.LPPool1d(3.0, 2), (2, 6)),
    ],
)
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
def test_a_layer_is_drawn_with_its_own_numbers(layer, shape):
    layer = layer.double()
    x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    drawn = lenrek.draw(layer, x)
    with torch.no_grad():
        expected = layer(x[None])[0]
    torch.testing.assert_close(torch.tensor(drawn.record["output"], dtype=torch.float64), expected)
    np.testing.assert_array_equal(drawn.record["input"], x)
    assert drawn.num_steps == expected.numel()
    assert ElementTree.fromstring(drawn.to_svg()).tag == f"{SVG}svg"


def test_the_volumes_of_lenet():
    with torch.device("meta"):
        network = lenrek.create_model("lenet5", num_classes=10, in_channels=1)
    drawn = lenrek.draw(network, (1, 28, 28), title="LeNet-5 <b>")
    volumes = [(tuple(v["shape"]), v["layers"]) for v in drawn.record["volumes"]]
    assert volumes == [
        ((1, 28, 28), []),
        ((6, 28, 28), ["Conv 5×5", "ReLU"]),
        ((6, 14, 14), ["MaxPool 2×2"]),
        ((16, 10, 10), ["Conv 5×5", "ReLU"]),
        ((16, 5, 5), ["MaxPool 2×2", "AdaptiveAvgPool2d"]),
        ((400,), ["Flatten"]),
        ((120,), ["Linear", "ReLU"]),
        ((84,), ["Linear", "ReLU"]),
        ((10,), ["Linear"]),
    ]
    root = ElementTree.fromstring(drawn.to_svg())
    texts = ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
    assert texts[0] == "LeNet-5 <b>"
    assert {"28 × 28", "400", NOTE} <= set(texts)
    fronts = [rect for rect in root.iter(f"{SVG}rect") if rect.get("class") == "volume"]
    assert len(fronts) == len(volumes)
    heights = [float(rect.get("height")) for rect in fronts]
    widths = [float(rect.get("width")) for rect in fronts]
    # To scale: square roots of the sides, and of the channels.
    assert heights[2] / heights[1] == pytest.approx((14 / 28) ** 0.5, rel=1e-3)
    assert heights[3] / heights[4] == pytest.approx((10 / 5) ** 0.5, rel=1e-3)
    assert widths[1] / widths[3] == pytest.approx((6 / 16) ** 0.5, rel=1e-3)
    assert heights[6] / heights[5] == pytest.approx((120 / 400) ** 0.5, rel=1e-2)


@pytest.mark.parametrize(
    ("name", "shape"),
    [("vgg16", (3, 224, 224)), ("resnet50", (3, 64, 96)), ("m5", (1, 8000)), ("resnet18_cifar", (2, 9, 16, 20)),
     ("mobilenet_v2", (3, 64, 64)), ("tcn", (1, 400))],
)  # fmt: skip
def test_networks_fit_in_a_row(name, shape):
    with torch.device("meta"):
        network = lenrek.create_model(name, num_classes=10, in_channels=shape[0], ndim=len(shape) - 1)
    found = lenrek.summary(network, shape)
    drawn = draw_network(network, shape)
    volumes = drawn.record["volumes"]
    assert len(volumes) <= FEW
    assert tuple(volumes[0]["shape"]) == shape
    assert volumes[-1]["shape"] == [10]
    shapes = {tuple(one[1:]) for row in found.rows for one in (*row.inputs, *row.outputs)}
    assert {tuple(volume["shape"]) for volume in volumes} <= shapes
    root = ElementTree.fromstring(drawn.to_svg(theme="dark"))
    assert float(root.get("width")) < 2000
    for text in root.iter(f"{SVG}text"):
        assert 0 <= float(text.get("x")) <= float(root.get("width"))


def test_depth_and_what_is_refused():
    network = nn.Sequential(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3)), nn.Conv2d(2, 4, 1))
    assert [v["shape"] for v in draw_network(network, (1, 9, 8), depth=1).record["volumes"]] == [
        [1, 9, 8], [2, 5, 4], [4, 5, 4],
    ]  # fmt: skip
    with pytest.raises(OptionError, match="draw: Conv2d needs an input, or its shape"):
        lenrek.draw(nn.Conv2d(1, 1, 3))
    with pytest.raises(OptionError, match="show='colours' has no effect on the volumes of a network"):
        lenrek.draw(network, (1, 9, 8), show="colours")
    with pytest.raises(OptionError, match="divisor_override=3"):
        lenrek.draw(nn.AvgPool2d(2, divisor_override=3), (1, 4, 4))
    with pytest.raises(OptionError, match="nothing to animate"):
        lenrek.draw(network, (1, 9, 8)).to_gif()
