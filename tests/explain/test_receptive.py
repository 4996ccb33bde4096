"""Receptive fields of whole networks against published tables, and what is asked of them."""

import json
from fractions import Fraction

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import lenrek
from explain.published.inception import InceptionV3
from lenrek.errors import ModelError, OptionError, ShapeError
from lenrek.explain.receptive import receptive_field
from lenrek.explain.record import TraceError


class SameConv(nn.Module):
    """A convolution of stride 2 as TensorFlow pads it for inputs of even size: all of it after the input."""

    def __init__(self, channels, groups):
        super().__init__()
        self.conv = nn.Conv2d(channels, 2, 3, stride=2, groups=groups)

    def forward(self, x):
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Bottleneck(nn.Module):
    """Of ResNet version 1 as in TensorFlow: the stride is the last block's, in its middle convolution."""

    def __init__(self, in_channels, stride):
        super().__init__()
        self.shortcut = nn.Conv2d(in_channels, 4, 1, stride)
        self.branch = nn.Sequential(
            nn.Conv2d(in_channels, 2, 1),
            nn.ReLU(),
            nn.Conv2d(2, 2, 3, stride, padding=1),
            nn.ReLU(),
            nn.Conv2d(2, 4, 1),
        )

    def forward(self, x):
        return F.relu(self.shortcut(x) + self.branch(x))


def resnet_v1(blocks):
    units = [nn.Conv2d(3, 4, 7, 2, 3), nn.MaxPool2d(3, 2, ceil_mode=True)]
    for number, count in enumerate(blocks):
        units += [Bottleneck(4, 2 if unit == count - 1 and number < 3 else 1) for unit in range(count)]
    return nn.Sequential(*units)


def mobilenet_v1():
    strides = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1]
    layers = [SameConv(3, 1)]
    for stride in strides:
        layers += [SameConv(2, 2) if stride == 2 else nn.Conv2d(2, 2, 3, padding=1, groups=2), nn.Conv2d(2, 2, 1)]
    return nn.Sequential(*layers)


def alexnet_v2():
    return nn.Sequential(
        nn.Conv2d(3, 2, 11, 4), nn.MaxPool2d(3, 2), nn.Conv2d(2, 2, 5, padding=2), nn.MaxPool2d(3, 2),
        nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1), nn.MaxPool2d(3, 2),
    )  # fmt: skip


def vgg_16():
    layers, channels = [], 3
    for count in (2, 2, 3, 3, 3):
        for _ in range(count):
            layers += [nn.Conv2d(channels, 2, 3, padding=1), nn.ReLU()]
            channels = 2
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


# Size, stride and padding before the input in the table of Araujo, Norris & Sim 2019 (doi:10.23915/distill.00021): that
# of TensorFlow, which pads a stride of 2 of an even input behind alone. The networks above are padded alike.
PUBLISHED = {
    "alexnet_v2": (alexnet_v2, 195, 32, 64),
    "vgg_16": (vgg_16, 212, 32, 90),
    "mobilenet_v1": (mobilenet_v1, 315, 32, 126),
    "resnet_v1_50": (lambda: resnet_v1((3, 4, 6, 3)), 483, 32, 239),
    "resnet_v1_101": (lambda: resnet_v1((3, 4, 23, 3)), 1027, 32, 511),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_table(name):
    make, size, stride, padding = PUBLISHED[name]
    for field in receptive_field(make(), (3, 224, 224))[""].fields:
        assert (field.size, field.stride, -field.start, field.bound) == (size, stride, padding, False)


def test_inception_v3_as_published():
    found = receptive_field(InceptionV3(16, 5), (3, 299, 299))
    widest = max(field.size for layer in found.layers for field in layer.fields if field.kind == "regular")
    assert widest == 1311


def test_resnet_50_of_pytorch_has_its_stride_in_another_place():
    found = receptive_field(lenrek.create_model("resnet50", num_classes=10), (3, 224, 224))
    (rows, columns) = found["layer4"].fields
    assert (rows.size, rows.stride, rows.start, rows.centre) == (
        427,
        32,
        -213,
        0,
    )
    assert rows == columns
    assert found["avgpool"].fields[0].kind == found["fc"].fields[1].kind == "whole"


VGG16 = {
    0: (3, 1), 2: (5, 1), 4: (6, 2), 5: (10, 2), 7: (14, 2), 9: (16, 4), 10: (24, 4), 12: (32, 4), 14: (40, 4),
    16: (44, 8), 17: (60, 8), 19: (76, 8), 21: (92, 8), 23: (100, 16), 24: (132, 16), 26: (164, 16), 28: (196, 16),
    30: (212, 32),
}  # fmt: skip


@pytest.mark.parametrize("size", [32, 64, 224])  # at 32 the last maps are single features: their stride is known still
def test_every_layer_of_vgg_16(size):
    found = receptive_field(lenrek.create_model("vgg16", num_classes=3), (3, size, size))
    table = {place: found[f"features.{place}"].fields[1] for place in VGG16}
    assert {place: (field.size, field.stride) for place, field in table.items()} == VGG16
    assert table[30].centre == Fraction(31, 2)


class Unequal(nn.Module):
    """Rectangular kernels in two branches that meet: where others printed one number, from types of layers."""

    def __init__(self):
        super().__init__()
        self.wide, self.high = nn.Conv2d(3, 4, (1, 7), padding=(0, 3)), nn.Conv2d(3, 4, (5, 1), padding=(2, 0))
        self.shared = nn.Conv2d(4, 4, (3, 1), stride=(2, 1), padding=(1, 0))

    def forward(self, x):
        return F.gelu(self.shared(self.wide(x) + self.high(x)))


def test_branches_rectangles_and_functional_calls():
    found = receptive_field(Unequal(), (3, 20, 30))
    assert [layer.name for layer in found.layers] == ["", "wide", "high", "add", "shared", "gelu"]
    rows, columns = found["gelu"].fields
    assert (rows.size, rows.stride, rows.start) == (7, 2, -3)
    assert (columns.size, columns.stride, columns.start) == (7, 1, -3)
    assert found.box((0, 0), "gelu") == (range(0, 4), range(0, 4))
    assert found.box((0, 0), "gelu", clipped=False) == (range(-3, 4), range(-3, 4))
    assert found.box((0, 0), "add") == (range(0, 3), range(0, 4))
    assert found.reaches((19, 0), "shared") == (range(8, 10), range(0, 4))


def test_a_shared_module_has_a_row_for_each_run():
    conv = nn.Conv1d(2, 2, 3, padding=1)
    found = receptive_field(nn.Sequential(conv, nn.ReLU(), conv), (2, 16))
    assert [(layer.name, layer.fields[0].size) for layer in found.layers[1:]] == [("0", 3), ("1", 3), ("0#2", 5)]


def test_boxes_of_one_channel_and_of_several_inputs():
    class Two(nn.Module):
        def forward(self, x, y):
            return torch.cat([F.avg_pool1d(x, 3, 1, 1), F.avg_pool1d(y, 5, 1, 2)], 1)

    found = receptive_field(Two(), [(1, 12), (2, 12)])
    assert found.box((6,)) == (range(5, 8),)
    assert found.box((6,), input=1) == (range(4, 9),)
    assert found.box((2, 6)) == (range(0),)
    assert found.reaches((0,), input=1) == (range(0, 3),)
    with pytest.raises(OptionError, match="input is 2, but the network has 2"):
        found.box((6,), input=2)


def test_unlike_branches_have_boxes_but_no_formula():
    class Unlike(nn.Module):
        def forward(self, x):
            return x[..., ::2] + x[..., :8]

    found = receptive_field(Unlike(), (1, 16))
    field = found[""].fields[0]
    assert (field.kind, field.reason) == ("irregular", "branches meet whose features lie 2 apart and 1 apart")
    assert found.box((5,)) == (range(5, 11),)
    with pytest.raises(OptionError, match="no formula without borders: branches meet"):
        found.box((5,), clipped=False)


def test_an_operator_that_is_not_known_is_named_and_carried_on():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv1d(1, 1, 3)

        def forward(self, x):
            return self.conv(torch.renorm(x, 2, 0, 1.0))

    found = receptive_field(Odd(), (1, 16))
    reason = "aten.renorm in the network itself is not known"
    assert [(layer.name, layer.fields[0].kind, layer.fields[0].reason) for layer in found.layers] == [
        (name, "unknown", reason) for name in ("", "renorm", "conv")
    ]
    with pytest.raises(OptionError, match=f"unknown: {reason}"):
        found.box((0,))


def test_training_mode_is_left_alone_and_not_looked_at():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5))
    model[1].eval()
    assert receptive_field(model, (3, 8, 8))[""].fields[0].size == 3
    assert [module.training for module in model] == [True, False, True]
    assert model[1].num_batches_tracked == 0


def test_a_network_that_stops_tells_what_was_found():
    class Decides(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 5)

        def forward(self, x):
            x = self.conv(x)
            return x if x.mean() > 0 else -x

    with pytest.raises(TraceError, match="receptive_field: stopped in the network itself") as stopped:
        receptive_field(Decides(), (3, 16, 16))
    assert stopped.value.found["conv"].fields[0].size == 5
    with pytest.raises(TraceError, match="module 'conv'"):
        receptive_field(Decides(), (2, 16, 16))


def test_what_is_asked_wrongly():
    found = receptive_field(nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(2)), (3, 8, 8))
    with pytest.raises(ModelError) as missing:
        found["01"]
    assert str(missing.value) == "receptive_field: the network has no layer '01'.\n  Hint: did you mean 1?"
    with pytest.raises(OptionError) as error:
        found.box((3, 0))
    assert str(error.value) == (
        "receptive_field: position is (3, 0), but the features of 'the network' are (1, 4, 3, 3) = (batch, channels, "
        "*size): expected positions below (3, 3), or below (4, 3, 3) with the channel."
    )
    with pytest.raises(
        OptionError, match="pixel is \\(8, 0\\), expected one position for each axis of the input, below"
    ):
        found.reaches((8, 0))
    with pytest.raises(ShapeError, match="input_size is missing"):
        receptive_field(nn.Conv2d(3, 4, 3))


def test_as_text_and_as_json():
    model = nn.Sequential(
        nn.Conv2d(3, 4, (3, 5), padding=(1, 2)), nn.ConvTranspose2d(4, 2, 2, 2), nn.AdaptiveMaxPool2d(1)
    )
    found = receptive_field(model, (3, 8, 8))
    assert str(found).splitlines() == [
        "layer  type               output               field  stride        start  centre",
        "0      Conv2d             4 × 8 × 8            3 × 5       1      -1 × -2       0",
        "1      ConvTranspose2d    2 × 16 × 16  ≤ 3.5 × ≤ 5.5     0.5  -1.5 × -2.5   -0.25",
        "2      AdaptiveMaxPool2d  2 × 1 × 1            whole                    0     3.5",
    ]
    told = json.loads(json.dumps(found.to_dict()))
    assert told["inputs"] == [[1, 3, 8, 8]]
    assert told["layers"][2] == {
        "name": "1", "type": "ConvTranspose2d", "output": [1, 2, 16, 16],
        "fields": [
            {"kind": "regular", "size": 3.5, "stride": 0.5, "start": -1.5, "centre": -0.25, "bound": True},
            {"kind": "regular", "size": 5.5, "stride": 0.5, "start": -2.5, "centre": -0.25, "bound": True},
        ],
    }  # fmt: skip


class Backwards(nn.Module):
    def __init__(self, read):
        super().__init__()
        self.read = read

    def forward(self, x):
        return self.read(x.flip(2))


def test_a_formula_that_runs_backwards():
    """What reads several features that run backwards starts at the last of them."""

    def pairs(x):  # pair p holds the samples 15 − 2p and 14 − 2p
        return x.unflatten(2, (8, 2)).sum(3)

    for read, size, start in ((pairs, 2, 14), (lambda x: F.avg_pool1d(x, 3, 2), 3, 13)):
        found = receptive_field(Backwards(read), (1, 16))
        field = found[""].fields[0]
        assert (field.size, field.stride, field.start) == (size, -2, start)
        assert found.box((1,)) == found.box((1,), clipped=False) == (range(start - 2, start - 2 + size),)
