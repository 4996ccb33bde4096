"""Summaries against counts made by hand and by PyTorch, for our networks and other people's."""

import json
from html.parser import HTMLParser

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

import lenrek
from explain.published import NETWORKS
from lenrek.errors import ModelError, ShapeError
from lenrek.explain.record import TraceError
from lenrek.explain.summary import summary
from lenrek.models.create import create_model
from lenrek.models.registry import ARCHITECTURES


class Residual(nn.Module):
    """A shared layer, a frozen one, functional calls and one that no forward pass uses."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.shared = nn.Conv2d(4, 4, (1, 3), padding=(0, 1), groups=2, bias=False)
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(4 * 5 * 7, 2))
        self.auxiliary = nn.Linear(9, 9)
        self.first.bias.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        x = F.relu(x + self.shared(self.shared(x)))
        return self.head(x)


def test_rows_and_totals_counted_by_hand():
    network = Residual().train()
    found = lenrek.summary(network, (3, 5, 7), 2)
    positions = 5 * 7
    first, again, dense = 4 * 3 * 9, 4 * 2 * 3, 2 * 4 * positions
    assert [(row.name, row.depth, row.kind, row.parameters, row.frozen, row.macs) for row in found.rows] == [
        ("", 0, "module", first + again + dense + 2 + 90, 4, 2 * (positions * (first + 2 * again) + dense)),
        ("first", 1, "module", first, 4, 2 * positions * first),
        ("shared", 1, "module", again, 0, 2 * positions * again),
        ("shared#2", 1, "module", 0, 0, 2 * positions * again),
        ("add", 1, "operator", 0, 0, 0),
        ("relu", 1, "operator", 0, 0, 0),
        ("head", 1, "module", dense + 2, 0, 2 * dense),
        ("head.0", 2, "module", 0, 0, 0),
        ("head.1", 2, "module", dense + 2, 0, 2 * dense),
    ]
    totals = found.totals
    assert (totals.parameters, totals.frozen, totals.unused) == (first + again + dense + 2 + 90, 4, 90)
    assert totals.parameter_bytes == 4 * (totals.parameters + totals.frozen)
    assert totals.not_counted == {}
    assert found["shared#2"].shared
    assert not found["shared"].shared
    assert found["first"].dense_weights == (3 * positions) * (4 * positions)
    assert found["first"].outputs == ((2, 4, 5, 7),)
    assert network.training


def test_memory_counted_by_hand():
    found = summary(Residual(), (3, 5, 7), 2)
    given, volume, result = 4 * 2 * 3 * 35, 4 * 2 * 4 * 35, 4 * 2 * 2
    # First layer's result, and both runs of the shared one: x is needed until it is added.
    assert found["shared#2"].live_bytes == given + 3 * volume
    assert found.totals.inference_bytes == given + 3 * volume
    # The gradient needs each convolution's input, and ReLU's result, which is the linear layer's input.
    assert found.totals.training_bytes == given + 3 * volume + result
    assert [found[name].kept_bytes for name in ("first", "shared", "shared#2", "add", "relu", "head")] == [
        volume, volume, 0, 0, volume, result
    ]  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_other_peoples_networks(name):
    network, size = NETWORKS[name]()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.eval().to("meta")(torch.empty(2, *size, device="meta"))
    found = summary(network, size, 2)
    assert found.totals.macs == counter.get_total_flops() // 2
    assert found.totals.parameters == sum(one.numel() for one in network.parameters())
    assert not found.totals.not_counted
    assert not network.training
    innermost = [row for row in found.rows if row.innermost]
    assert sum(row.macs for row in innermost) == found.totals.macs
    assert max(row.live_bytes for row in found.rows) == found.totals.inference_bytes
    json.dumps(found.to_dict())


@pytest.mark.parametrize("name", ["lenet5_1998", "mobilenet_v2", "resnet20", "squeezenet1_1", "tcn", "vgg11_bn"])
def test_memory_grows_in_proportion_to_the_batch(name):
    architecture = ARCHITECTURES[name]
    ndim = 2 if 2 in architecture.ndims else architecture.ndims[0]
    with torch.device("meta"):
        network = create_model(name, num_classes=5, in_channels=2, ndim=ndim)
    size = (2, *[architecture.min_size + 1] * ndim)
    some, twice, million = (summary(network, size, samples).totals for samples in (1000, 2000, 10**6))
    assert million.macs == some.macs * 1000
    for what in ("inference_bytes", "training_bytes"):  # the statistics of batch norm do not grow
        few, more, many = (getattr(totals, what) for totals in (some, twice, million))
        assert many - few == (more - few) * 999
    assert network.training


def test_unknown_operators_are_named():
    class Spectrum(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.fft.fft2(torch.fft.fft2(x)).abs()

    found = summary(nn.Sequential(nn.Conv2d(1, 2, 3), Spectrum()), (1, 8, 8))
    assert found.totals.not_counted == found["1"].not_counted == {"aten._fft_c2c": 2}
    assert found["0"].not_counted == {}
    assert "not counted  aten._fft_c2c ×2" in str(found)
    assert "648 + ?" in str(found)


def test_tied_weights_count_once():
    network = nn.Sequential(nn.Linear(6, 6, bias=False), nn.Linear(6, 6, bias=False))
    network[1].weight = network[0].weight
    found = summary(network, (6,))
    assert (found.totals.parameters, found["0"].parameters, found["1"].parameters, found["1"].shared) == (
        36,
        36,
        0,
        True,
    )
    assert found.totals.macs == 72


def test_where_the_parameters_are():
    found = summary(create_model("vgg16", num_classes=1000, in_channels=3).to("meta"), (3, 224, 224))
    shares = {part.name: (round(part.parameters, 3), round(part.macs, 3)) for part in found.parts}
    assert shares == {"features": (0.106, 0.992), "avgpool": (0.0, 0.0), "classifier": (0.894, 0.008)}


def test_a_fully_connected_layer_instead():
    found = summary(nn.Sequential(nn.Conv2d(1, 1, 5, padding=2, bias=False)), (1, 250, 250))
    assert found["0"].parameters == 25
    assert found["0"].dense_weights == 250**4
    assert "25 parameters; fully connected layers between the same volumes: 3.91 G" in str(found)


def test_runs_of_one_module_and_frozen_parameters_are_one_part():
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head = nn.Linear(6, 6, bias=False), nn.Linear(6, 3, bias=False)
            self.body.requires_grad_(False)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.body(self.body(x)))

    parts = summary(Twice(), (6,)).parts
    assert [(part.name, part.parameters, part.macs) for part in parts] == [
        ("body", 36 / 54, 72 / 90), ("head", 18 / 54, 18 / 90)
    ]  # fmt: skip


def test_names_that_begin_alike_are_different_modules():
    network = nn.Module()
    network.conv, network.conv1 = nn.Conv1d(2, 3, 3, bias=False), nn.Conv1d(3, 4, 5, bias=False)
    network.forward = lambda x: network.conv1(network.conv(x))
    found = summary(network, (2, 9))
    assert (found["conv"].parameters, found["conv1"].parameters) == (2 * 3 * 3, 3 * 4 * 5)


def test_buffers_and_types_in_bytes():
    network = nn.Sequential(nn.Conv1d(3, 5, 1), nn.BatchNorm1d(5)).double()
    found = summary(network, [torch.empty(7, 3, 4, dtype=torch.float64)])
    assert found.totals.buffer_bytes == 8 * 5 + 8 * 5 + 8  # running mean and variance, and int64
    assert found.totals.parameter_bytes == 8 * (15 + 5 + 5 + 5)
    assert found["0"].live_bytes == 8 * 7 * (3 + 5) * 4
    assert (found.batch_size, found.inputs) == (7, ((7, 3, 4),))


def test_what_computes_nothing_keeps_alive_what_was_before():
    found = summary(nn.Sequential(nn.Linear(4, 8), nn.Identity(), nn.Linear(8, 2)), (4,), 10)
    assert found["1"].live_bytes == found["0"].live_bytes == 4 * 10 * (4 + 8)
    assert summary(nn.Identity(), (4,), 10).rows[0].live_bytes == 4 * 10 * 4


def test_an_operator_that_training_runs_more_often_has_no_kept_bytes():
    class Skips(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.act = nn.Linear(4, 4), nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            y = self.first(x) * 2
            return self.act((y * y if self.training else y).exp())

    found = summary(Skips(), (4,), 10)
    assert found["mul"].kept_bytes is None
    assert found["exp"].kept_bytes == found["act"].kept_bytes == 4 * 10 * 4


def test_two_convolutions_in_one_layer_have_no_dense_equivalent():
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.empty(2, 2, 3))

        def forward(self, x: Tensor) -> Tensor:
            return F.conv1d(F.conv1d(x, self.weight), self.weight)

    found = summary(nn.Sequential(Both(), nn.Conv1d(2, 1, 3)), (2, 9))
    assert found["0"].dense_weights is None
    assert found["1"].dense_weights == (2 * 5) * 3


def test_fields_that_are_no_number_are_words():
    class Part(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x[..., 2:7].mean(-1, keepdim=True)

    assert summary(nn.Sequential(Part()), (1, 4, 12))["0"].field == (1, 5)
    doubled = summary(nn.Sequential(nn.Conv2d(1, 1, 3), nn.Upsample(scale_factor=(2, 1))), (1, 9, 9))
    assert doubled["1"].field == ("varies", 3)


def test_what_a_row_sees_is_its_receptive_field():
    network, size = NETWORKS["unet"]()
    seen = {layer.name: layer.fields for layer in lenrek.receptive_field(network, size).layers}
    rows = summary(network, size, 3).rows
    assert {row.name for row in rows} == set(seen)
    for row in rows:
        assert [one for one in row.field if one != "irregular"] == [
            one.size for one in seen[row.name] if one.kind == "regular"
        ]
    strided = summary(nn.Sequential(nn.Conv2d(1, 1, (3, 5), (2, 1)), nn.Conv2d(1, 1, (2, 3))), (1, 20, 20))
    assert strided["1"].field == (5, 7)
    assert "5×7" in str(strided)


def test_another_size():
    found = summary(nn.Sequential(nn.Conv2d(3, 4, 3)), (3, 8, 8))
    assert found.at((3, 5, 4)).rows[0].outputs == ((1, 4, 3, 2),)
    assert found.at(batch_size=7).inputs == ((7, 3, 8, 8),)
    two = summary(nn.Bilinear(3, 5, 2), [(3,), (5,)])
    assert two.at(batch_size=4).inputs == ((4, 3), (4, 5))


def test_training_of_a_single_sample_may_not_be_possible():
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(3))
    found = summary(network, (3, 4, 4))
    assert found.totals.training_bytes is None
    assert found["1"].kept_bytes is None
    assert found.totals.training_unknown == (
        "module '1' (BatchNorm2d): ValueError: Expected more than 1 value per channel when training, "
        "got input size torch.Size([1, 3, 1, 1])"
    )
    assert "training     unknown: module '1' (BatchNorm2d)" in str(found)
    assert summary(network, (3, 4, 4), 2).totals.training_bytes is not None


def test_the_text_fits_and_says_equal_blocks_once():
    text = str(summary(create_model("resnet50", num_classes=10, in_channels=3).to("meta"), (3, 64, 64)))
    assert max(map(len, text.splitlines())) <= 100
    assert "    1 – 3  Bottleneck, 3 alike, each " in text
    assert text.count("  conv1  Conv2d 1×1") == 8
    short = summary(create_model("resnet18", num_classes=10, in_channels=3), (3, 64, 64)).to_text(depth=1)
    assert [line.split()[0] for line in short.splitlines()[3:13]] == [
        "ResNet", "conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool"
    ]  # fmt: skip


def test_what_was_found_before_it_stopped():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(10, 2))
    with pytest.raises(TraceError) as caught:
        summary(network, (3, 8, 8))
    assert str(caught.value).startswith("summary: stopped in module '3' (Linear) given (1, 144), at aten.addmm")
    found = caught.value.found
    assert not found.complete
    assert [(row.name, row.macs) for row in found.rows] == [("", 3888), ("0", 3888), ("1", 0), ("2", 0), ("3", 0)]


def test_bad_questions():
    with pytest.raises(ShapeError, match=r"summary: input_size is missing, and Linear does not tell its own\."):
        summary(nn.Linear(3, 4))
    with pytest.raises(ShapeError, match=r"summary: input_size is \(3, 0\), expected \(channels, \*size\)"):
        summary(nn.Linear(3, 4), (3, 0))
    with pytest.raises(ModelError) as caught:
        summary(nn.LazyLinear(4), (3,))
    assert str(caught.value) == (
        "summary: parameter 'weight' has no size yet.\n  Hint: run the network once on a sample, then ask again."
    )


def test_the_page_is_whole():
    class Tags(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.rows, self.links = 0, []

        def handle_starttag(self, tag, attributes):
            self.rows += tag == "tr"
            self.links += [value for name, value in attributes if name in ("src", "href") and value]

    found = summary(create_model("lenet5", num_classes=10, in_channels=1), (1, 32, 32))
    page = found.to_html()
    tags = Tags()
    tags.feed(page)
    assert tags.rows >= len(found.rows)
    assert not [link for link in tags.links if not link.startswith(("#", "data:"))]
    assert "61,706" in page
